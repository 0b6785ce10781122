package main

/*
#include <stdint.h>
*/
import "C"

import (
	"context"
	"time"
	"unsafe"

	"github.com/nats-io/nats.go"
)

// send queues a small thing to send. When the connection stands still it is dropped: an acknowledgement that is lost brings
// the message again, a hint may be lost.
func (e *engine) send(step func()) {
	select {
	case e.outgoing <- step:
	default:
	}
}

func (e *engine) sender() {
	for {
		select {
		case step := <-e.outgoing:
			func() {
				defer e.guard(0)
				step()
			}()
		case <-e.alive.Done():
			return
		}
	}
}

// engine_ack acknowledges: reply subjects, each ended by a newline.
//
//export engine_ack
func engine_ack(handle C.uint64_t, replies *C.char, length C.int) {
	e := find(handle)
	if e == nil {
		return
	}
	text := C.GoBytes(unsafe.Pointer(replies), length)
	e.send(func() {
		for start, i := 0, 0; i < len(text); i++ {
			if text[i] == '\n' {
				e.conn.Publish(string(text[start:i]), []byte("+ACK"))
				start = i + 1
			}
		}
	})
}

//export engine_hint
func engine_hint(handle C.uint64_t, subject, payload *C.char, length C.int) {
	if e := find(handle); e != nil {
		name, data := C.GoString(subject), C.GoBytes(unsafe.Pointer(payload), length)
		e.send(func() { e.conn.Publish(name, data) })
	}
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

//export engine_request
func engine_request(handle C.uint64_t, subject, payload *C.char, length C.int, milliseconds C.int, token C.uint64_t) {
	e := find(handle)
	if e == nil {
		return
	}
	name, data := C.GoString(subject), C.GoBytes(unsafe.Pointer(payload), length)
	go func() {
		defer e.guard(uint64(token))
		answer, err := e.conn.Request(name, data, time.Duration(milliseconds)*time.Millisecond)
		if err != nil {
			e.complete(uint64(token), statusFailed, []byte(err.Error()))
			return
		}
		e.complete(uint64(token), statusOK, answer.Data)
	}()
}
