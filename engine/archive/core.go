package main

/*
#include <stdint.h>
*/
import "C"

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const maxHints = 4096 // that wait; more are lost, as hints may be

type hint struct {
	subject string
	payload []byte
}

// outgoing holds what is sent without an answer, so that a connection that stands still holds nobody up. Acknowledgements are
// bounded by what was delivered.
type outgoing struct {
	mu    sync.Mutex
	acks  []byte // reply subjects, each ended by a newline
	hints []hint
	some  chan struct{}
}

func (o *outgoing) add(acks []byte, hints ...hint) {
	o.mu.Lock()
	o.acks = append(o.acks, acks...)
	if len(o.hints) < maxHints {
		o.hints = append(o.hints, hints...)
	}
	o.mu.Unlock()
	select {
	case o.some <- struct{}{}:
	default:
	}
}

func (o *outgoing) take() (acks []byte, hints []hint) {
	o.mu.Lock()
	defer o.mu.Unlock()
	acks, hints = o.acks, o.hints
	o.acks, o.hints = nil, nil
	return acks, hints
}

func (e *engine) sender() {
	for {
		select {
		case <-e.outgoing.some:
			e.sendAll(e.outgoing.take())
		case <-e.alive.Done():
			return
		}
	}
}

func (e *engine) sendAll(acks []byte, hints []hint) {
	defer e.guard(0)
	for _, h := range hints {
		e.conn.Publish(h.subject, h.payload)
	}
	for len(acks) > 0 {
		end := bytes.IndexByte(acks, '\n')
		e.conn.Publish(string(acks[:end]), []byte("+ACK"))
		acks = acks[end+1:]
	}
}

func (e *engine) request(subject string, payload []byte, deadline time.Duration, token uint64) {
	defer e.guard(token)
	answer, err := e.conn.Request(subject, payload, deadline)
	if err != nil {
		e.complete(token, statusFailed, []byte(plain(err.Error())))
		return
	}
	e.complete(token, statusOK, answer.Data)
}

// engine_listen delivers core messages of a subject to the token; with a queue group each goes to one of its members.
//
//export engine_listen
func engine_listen(handle C.uint64_t, subject, queue *C.char, token C.uint64_t, message **C.char) C.int {
	name, group, id := C.GoString(subject), C.GoString(queue), uint64(token)
	return call(handle, message, func(e *engine, _ context.Context) error {
		deliver := func(m *nats.Msg) { e.deliver(id, m.Reply, m.Data) }
		var err error
		if group != "" {
			_, err = e.conn.QueueSubscribe(name, group, deliver)
		} else {
			_, err = e.conn.Subscribe(name, deliver)
		}
		return err
	})
}
