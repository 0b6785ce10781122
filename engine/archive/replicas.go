package main

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// manyReplicas has a stream of a cluster, as soon as there are as many servers.
const manyReplicas = 3

func (e *engine) isOfCluster() bool { return e.server == nil && e.conn.ConnectedClusterName() != "" }

// tooSmall: the cluster has never had as many servers. Of those that are away or full the refusal says more.
func tooSmall(err error) bool {
	var refusal *jetstream.APIError
	return errors.As(err, &refusal) && refusal.ErrorCode == tooFewServers && refusal.Description == "no suitable peers for placement"
}

// ensureStream makes a stream, or brings an existing one up to date without loss. It never deletes one.
func (e *engine) ensureStream(ctx context.Context, s streamSpec) error {
	if e.isOfCluster() {
		err := e.ensureReplicas(ctx, s, manyReplicas)
		if !tooSmall(err) {
			return err
		}
		e.growLater()
	}
	return e.ensureReplicas(ctx, s, 1)
}

// growLater gives all streams their replicas when the cluster has grown.
func (e *engine) growLater() {
	if e.growing.Swap(true) {
		return
	}
	e.warning("NATS: the cluster has fewer than three servers, so each stream is held by one: messages go by the database while that one is away")
	go func() {
		for !e.grow() {
			select {
			case <-time.After(growthPause):
			case <-e.alive.Done():
				return
			}
		}
		e.growing.Store(false)
		e.info("NATS: streams are held by three servers now")
	}()
}

const growthPause = 10 * time.Second

// grow says whether all that is declared has its replicas.
func (e *engine) grow() bool {
	for _, name := range e.declared.all() {
		spec, _, _ := e.declared.of(name)
		ctx, cancel := context.WithTimeout(e.alive, answerTime)
		err := e.ensureReplicas(ctx, spec, manyReplicas)
		cancel()
		if err != nil {
			return false
		}
	}
	return true
}
