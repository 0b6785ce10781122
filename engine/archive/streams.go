package main

/*
#include <stdint.h>
*/
import "C"

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func contextWithTimeout() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	time.AfterFunc(11*time.Second, cancel)
	return ctx
}

type streamSpec struct {
	Name     string   `json:"name"`
	Subjects []string `json:"subjects"`
	Memory   bool     `json:"memory"`
	MaxBytes int64    `json:"max_bytes"`
	Replicas int      `json:"replicas"`
}

type consumerSpec struct {
	Stream string `json:"stream"`
	Name   string `json:"name"`
}

// call runs a blocking step for C++: an empty text is success.
func call(message **C.char, step func() error) (ok C.int) {
	defer func() {
		if r := recover(); r != nil {
			*message = C.CString(fmt.Sprint("panic: ", r))
			ok = 0
		}
	}()
	if err := step(); err != nil {
		*message = C.CString(err.Error())
		return 0
	}
	return 1
}

// engine_ensure_stream makes a stream, or brings an existing one up to date without loss. It never deletes one.
//
//export engine_ensure_stream
func engine_ensure_stream(handle C.uint64_t, spec *C.char, length C.int, message **C.char) C.int {
	return call(message, func() error {
		var s streamSpec
		if err := json.Unmarshal(C.GoBytes(unsafe.Pointer(spec), length), &s); err != nil {
			return err
		}
		e := find(handle)
		config := jetstream.StreamConfig{
			Name: s.Name, Subjects: s.Subjects, Retention: jetstream.InterestPolicy, Storage: jetstream.FileStorage,
			MaxBytes: s.MaxBytes, Discard: jetstream.DiscardOld, Replicas: max(1, s.Replicas), MaxMsgs: -1,
		}
		if s.Memory {
			config.Storage = jetstream.MemoryStorage
		}
		stream, err := e.js.Stream(contextWithTimeout(), s.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			_, err = e.js.CreateStream(contextWithTimeout(), config)
			return err
		}
		if err != nil {
			return err
		}
		have := stream.CachedInfo().Config
		if have.Storage != config.Storage || have.Retention != config.Retention {
			return fmt.Errorf("stream %s exists with other storage or retention; it is never deleted by itself: "+
				"stop the server and remove it (nothing in it is lost: the database has it)", s.Name)
		}
		have.Subjects, have.MaxBytes = config.Subjects, config.MaxBytes
		_, err = e.js.UpdateStream(contextWithTimeout(), have)
		return err
	})
}

//export engine_ensure_consumer
func engine_ensure_consumer(handle C.uint64_t, spec *C.char, length C.int, message **C.char) C.int {
	return call(message, func() error {
		var s consumerSpec
		if err := json.Unmarshal(C.GoBytes(unsafe.Pointer(spec), length), &s); err != nil {
			return err
		}
		_, err := find(handle).js.CreateOrUpdateConsumer(contextWithTimeout(), s.Stream, jetstream.ConsumerConfig{
			Durable: s.Name, AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy,
			AckWait: 30 * time.Second, MaxAckPending: 8192, MaxDeliver: -1,
		})
		return err
	})
}

// engine_publish takes messages one after the other (u16 subject length, u32 payload length, both; little endian) and
// completes the token once all are stored, or failed.
//
//export engine_publish
func engine_publish(handle C.uint64_t, flat *C.char, length C.int, token C.uint64_t) {
	e := find(handle)
	if e == nil {
		return
	}
	e.batches <- batch{C.GoBytes(unsafe.Pointer(flat), length), uint64(token)}
}

type batch struct {
	data  []byte
	token uint64
}

// publisher hands batches to the stream in the order in which they came; their answers are awaited beside it.
func (e *engine) publisher() {
	for b := range e.batches {
		e.publish(b)
	}
}

func (e *engine) publish(b batch) {
	defer e.guard(b.token)
	var futures []jetstream.PubAckFuture
	var failure error
	for data := b.data; len(data) >= 6; {
		subject := int(binary.LittleEndian.Uint16(data))
		payload := int(binary.LittleEndian.Uint32(data[2:]))
		future, err := e.js.PublishMsgAsync(&nats.Msg{Subject: string(data[6 : 6+subject]), Data: data[6+subject : 6+subject+payload]})
		data = data[6+subject+payload:]
		if err != nil {
			failure = err
			continue
		}
		futures = append(futures, future)
	}
	go e.await(futures, failure, b.token)
}

func (e *engine) await(futures []jetstream.PubAckFuture, failure error, token uint64) {
	defer e.guard(token)
	for _, future := range futures {
		select {
		case <-future.Ok():
		case err := <-future.Err():
			failure = err
		case <-time.After(5 * time.Second):
			failure = errors.New("no answer to a publish")
		}
	}
	if failure != nil {
		e.complete(token, statusFailed, []byte(failure.Error()))
		return
	}
	e.complete(token, statusOK)
}

func (e *engine) deliver(token uint64, reply string, data []byte) {
	var size [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(size[:], uint64(len(reply)))
	e.complete(token, statusMessage, size[:n], []byte(reply), data)
}

// engine_subscribe delivers a durable consumer's messages to the token, for ever: a subscription that ends is made again.
//
//export engine_subscribe
func engine_subscribe(handle C.uint64_t, streamName, consumerName *C.char, prefetch C.int, token C.uint64_t) {
	e := find(handle)
	if e == nil {
		return
	}
	stream, name, id := C.GoString(streamName), C.GoString(consumerName), uint64(token)
	ctx, cancel := context.WithCancel(context.Background())
	e.mu.Lock()
	e.subs[id] = cancel
	e.mu.Unlock()
	go func() {
		defer e.guard(id)
		for ctx.Err() == nil {
			err := e.consume(ctx, stream, name, int(prefetch), id)
			if ctx.Err() == nil {
				e.complete(id, statusStream, []byte(fmt.Sprint(err)))
				time.Sleep(250 * time.Millisecond)
			}
		}
	}()
}

func (e *engine) consume(ctx context.Context, stream, name string, prefetch int, token uint64) error {
	consumer, err := e.js.Consumer(ctx, stream, name)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	consuming, err := consumer.Consume(func(m jetstream.Msg) { e.deliver(token, m.Reply(), m.Data()) },
		jetstream.PullMaxMessages(prefetch), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConsumerNotFound) ||
				errors.Is(err, jetstream.ErrNoHeartbeat) {
				select {
				case ended <- err:
				default:
				}
			}
		}))
	if err != nil {
		return err
	}
	defer consuming.Stop()
	select {
	case err = <-ended:
		return err
	case <-consuming.Closed():
		return errors.New("closed")
	case <-ctx.Done():
		return ctx.Err()
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
	defer e.guard(0)
	text := C.GoBytes(unsafe.Pointer(replies), length)
	for start, i := 0, 0; i < len(text); i++ {
		if text[i] == '\n' {
			e.conn.Publish(string(text[start:i]), []byte("+ACK"))
			start = i + 1
		}
	}
}

// ---- core NATS: hints that may be lost, and commands

//export engine_hint
func engine_hint(handle C.uint64_t, subject, payload *C.char, length C.int) {
	if e := find(handle); e != nil {
		defer e.guard(0)
		e.conn.Publish(C.GoString(subject), C.GoBytes(unsafe.Pointer(payload), length))
	}
}

// engine_listen delivers core messages of a subject to the token; with a queue group each goes to one of its members.
//
//export engine_listen
func engine_listen(handle C.uint64_t, subject, queue *C.char, token C.uint64_t, message **C.char) C.int {
	return call(message, func() error {
		e, id := find(handle), uint64(token)
		deliver := func(m *nats.Msg) { e.deliver(id, m.Reply, m.Data) }
		var sub *nats.Subscription
		var err error
		if group := C.GoString(queue); group != "" {
			sub, err = e.conn.QueueSubscribe(C.GoString(subject), group, deliver)
		} else {
			sub, err = e.conn.Subscribe(C.GoString(subject), deliver)
		}
		if err != nil {
			return err
		}
		e.mu.Lock()
		e.subs[id] = func() { sub.Unsubscribe() }
		e.mu.Unlock()
		return nil
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
