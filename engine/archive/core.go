package main

/*
#include <stdint.h>
*/
import "C"

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const maxHints = 4096 // that wait; more are lost, as hints may be

type hint struct {
	subject string
	payload []byte
}

// outgoing holds what is sent without an answer, so that a connection that stands still holds nobody up. Acknowledgements and
// refusals are bounded by what was delivered.
type outgoing struct {
	mu         sync.Mutex
	acks, naks []byte // reply subjects, each ended by a newline
	hints      []hint
	some       chan struct{}
}

func (o *outgoing) add(acks, naks []byte, hints ...hint) {
	o.mu.Lock()
	o.acks = append(o.acks, acks...)
	o.naks = append(o.naks, naks...)
	if len(o.hints) < maxHints {
		o.hints = append(o.hints, hints...)
	}
	o.mu.Unlock()
	select {
	case o.some <- struct{}{}:
	default:
	}
}

func (o *outgoing) take() (acks, naks []byte, hints []hint) {
	o.mu.Lock()
	defer o.mu.Unlock()
	acks, naks, hints = o.acks, o.naks, o.hints
	o.acks, o.naks, o.hints = nil, nil, nil
	return acks, naks, hints
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

func (e *engine) sendAll(acks, naks []byte, hints []hint) {
	defer e.guard(0)
	for _, h := range hints {
		if err := e.conn.Publish(h.subject, h.payload); errors.Is(err, nats.ErrMaxPayload) {
			e.warning("NATS: %d bytes to %s are more than the server takes", len(h.payload), h.subject)
		}
	}
	e.answer(acks, "+ACK")
	e.answer(naks, "-NAK")
}

func (e *engine) answer(replies []byte, with string) {
	for len(replies) > 0 {
		end := bytes.IndexByte(replies, '\n')
		e.conn.Publish(string(replies[:end]), []byte(with))
		replies = replies[end+1:]
	}
}

func (e *engine) request(subject string, payload []byte, deadline time.Duration, token uint64) {
	defer e.guard(token)
	answer, err := e.conn.Request(subject, payload, deadline)
	switch {
	case errors.Is(err, nats.ErrTimeout):
		e.complete(token, statusTimeout, []byte(plain(err.Error())))
	case err != nil:
		e.complete(token, statusFailed, []byte(plain(err.Error())))
	default:
		e.complete(token, statusOK, answer.Data)
	}
}

// engine_server names the server that the engine is connected to; "" means none, "embedded" its own. It waits for nothing.
//
//export engine_server
func engine_server(handle C.uint64_t) *C.char {
	if e := find(handle); e != nil {
		name, _ := e.name.Load().(string)
		return C.CString(name)
	}
	return C.CString("")
}

// engine_leave_server goes over to the next server of the cluster, and does not wait for it.
//
//export engine_leave_server
func engine_leave_server(handle C.uint64_t) {
	if e := find(handle); e != nil && e.server == nil && len(e.conn.Servers()) > 1 {
		go func() {
			defer e.guard(0)
			e.conn.ForceReconnect()
		}()
	}
}

// engine_listen delivers core messages of a subject to the token. When it returns the server knows.
//
//export engine_listen
func engine_listen(handle C.uint64_t, subject *C.char, token C.uint64_t, message **C.char) C.int {
	name, id := C.GoString(subject), uint64(token)
	return call(handle, message, func(e *engine, ctx context.Context) error {
		if _, err := e.conn.Subscribe(name, func(m *nats.Msg) { e.deliver(id, m.Reply, m.Data) }); err != nil {
			return err
		}
		return e.conn.FlushWithContext(ctx)
	})
}
