package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The last try is cut short, which says nothing.
func TestInsistReturnsWhatItWasTold(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	tries := 0
	err := insist(ctx, func(once context.Context) error {
		if tries++; tries == 1 {
			return &jetstream.APIError{ErrorCode: tooFewServers, Description: "insufficient storage"}
		}
		<-once.Done()
		return once.Err()
	})
	if err == nil || !strings.Contains(err.Error(), "insufficient storage") {
		t.Errorf("after %d tries: %v", tries, err)
	}
}
