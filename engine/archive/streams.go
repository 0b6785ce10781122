package main

/*
#include <stdint.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

type streamSpec struct {
	Name     string   `json:"name"`
	Subjects []string `json:"subjects"`
	Memory   bool     `json:"memory"`
	MaxBytes int64    `json:"max_bytes"`
}

type consumerSpec struct {
	Stream string `json:"stream"`
	Name   string `json:"name"`
}

// declared remembers what C++ ensured: a stream that vanished (kept in memory by a server that was restarted, or deleted by
// somebody) is made again with all its consumers.
type declared struct {
	mu        sync.Mutex
	streams   map[string]streamSpec
	consumers map[string][]string // by stream
}

func (d *declared) add(s streamSpec) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.streams == nil {
		d.streams, d.consumers = map[string]streamSpec{}, map[string][]string{}
	}
	d.streams[s.Name] = s
}

func (d *declared) addConsumer(c consumerSpec) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.consumers != nil && !slices.Contains(d.consumers[c.Stream], c.Name) {
		d.consumers[c.Stream] = append(d.consumers[c.Stream], c.Name)
	}
}

// of returns a stream's declaration and its consumers.
func (d *declared) of(stream string) (streamSpec, []string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, known := d.streams[stream]
	return s, slices.Clone(d.consumers[stream]), known
}

func (d *declared) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.streams))
}

// insist asks JetStream again while nobody answers: when several processes make the same stream at the same time, a cluster
// answers some of them and forgets the others; and while it has no leader, all. Of what it was told in vain, it returns the last
// that is more than silence.
func insist(ctx context.Context, ask func(context.Context) error) error {
	const patience, pause = 2 * time.Second, 100 * time.Millisecond
	var told error
	for {
		once, cancel := context.WithTimeout(ctx, patience)
		err := ask(once)
		cancel()
		if !silent(err) {
			return err
		}
		if told == nil || !errors.Is(err, context.DeadlineExceeded) {
			told = err
		}
		select {
		case <-ctx.Done():
			return told
		case <-time.After(pause):
		}
	}
}

func (e *engine) ensureReplicas(ctx context.Context, s streamSpec, replicas int) error {
	config := jetstream.StreamConfig{
		Name: s.Name, Subjects: s.Subjects, Retention: jetstream.InterestPolicy, Storage: jetstream.FileStorage,
		MaxBytes: s.MaxBytes, Discard: jetstream.DiscardOld, MaxMsgs: -1, Replicas: replicas,
	}
	if s.Memory {
		config.Storage = jetstream.MemoryStorage
	}
	stream, err := e.js.Stream(ctx, s.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = e.js.CreateStream(ctx, config)
		return e.withRoom(err, s)
	}
	if err != nil {
		return err
	}
	have := stream.CachedInfo().Config
	if have.Storage != config.Storage || have.Retention == jetstream.WorkQueuePolicy {
		return fmt.Errorf("%w: stream %s is there with %v storage and %v retention, not with %v and %v; it is never deleted "+
			"by itself: remove it (nothing in it is lost: the database has it)",
			errDeclared, s.Name, have.Storage, have.Retention, config.Storage, config.Retention)
	}
	want := have
	want.Subjects, want.Retention, want.MaxBytes, want.Discard = config.Subjects, config.Retention, config.MaxBytes, config.Discard
	want.MaxMsgs, want.MaxMsgsPerSubject, want.MaxMsgSize, want.MaxAge = -1, -1, -1, 0
	want.DiscardNewPerSubject, want.NoAck = false, false
	want.Replicas = max(have.Replicas, config.Replicas) // more than ours are the administrator's wish
	if reflect.DeepEqual(have, want) {
		return nil
	}
	_, err = e.js.UpdateStream(ctx, want)
	return e.withRoom(err, s)
}

// withRoom says what to do when there is none for a stream.
func (e *engine) withRoom(err error, s streamSpec) error {
	if refused(err, tooFewServers) {
		return fmt.Errorf("stream %s needs three nats-servers in the cluster, each with %d MB for it: %w", s.Name, s.MaxBytes>>20, err)
	}
	if !full(err) {
		return err
	}
	return fmt.Errorf("there is no room for stream %s, which may take %d MB: raise JetStream's limits: %w", s.Name, s.MaxBytes>>20, err)
}

func (e *engine) ensureConsumer(ctx context.Context, stream, name string) error {
	_, err := e.js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckWait: 30 * time.Second, MaxAckPending: 8192, MaxDeliver: -1,
	})
	return err
}

//export engine_ensure_stream
func engine_ensure_stream(handle C.uint64_t, spec *C.char, length C.int, message **C.char) C.int {
	data := C.GoBytes(unsafe.Pointer(spec), length)
	return call(handle, message, func(e *engine, ctx context.Context) error {
		var s streamSpec
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		e.declared.add(s)
		return insist(ctx, func(once context.Context) error { return e.ensureStream(once, s) })
	})
}

//export engine_ensure_consumer
func engine_ensure_consumer(handle C.uint64_t, spec *C.char, length C.int, message **C.char) C.int {
	data := C.GoBytes(unsafe.Pointer(spec), length)
	return call(handle, message, func(e *engine, ctx context.Context) error {
		var s consumerSpec
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		e.declared.addConsumer(s)
		return insist(ctx, func(once context.Context) error { return e.ensureConsumer(once, s.Stream, s.Name) })
	})
}

// engine_delete_stream is for tests, which play the administrator that does it.
//
//export engine_delete_stream
func engine_delete_stream(handle C.uint64_t, stream *C.char, message **C.char) C.int {
	name := C.GoString(stream)
	return call(handle, message, func(e *engine, ctx context.Context) error { return e.js.DeleteStream(ctx, name) })
}

//export engine_delete_consumer
func engine_delete_consumer(handle C.uint64_t, stream, consumer *C.char, message **C.char) C.int {
	in, name := C.GoString(stream), C.GoString(consumer)
	return call(handle, message, func(e *engine, ctx context.Context) error { return e.js.DeleteConsumer(ctx, in, name) })
}

// ---- publishing

type batch struct {
	data  []byte
	token uint64
}

// publisher hands batches to the stream in the order in which they came; their answers are awaited beside it.
func (e *engine) publisher() {
	for {
		select {
		case b := <-e.batches:
			e.publish(b)
		case <-e.alive.Done():
			return
		}
	}
}

func (e *engine) publish(b batch) {
	defer e.guard(b.token)
	var futures []jetstream.PubAckFuture
	var failure error
	for data := b.data; len(data) > 0; {
		var message nats.Msg
		message.Subject, message.Data, data = cutMessage(data)
		future, err := e.js.PublishMsgAsync(&message)
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
	late, done := context.WithTimeout(context.Background(), 5*time.Second) // the client gives each up after 2 s and some tries
	defer done()
	for _, future := range futures {
		select {
		case <-future.Ok():
		case err := <-future.Err():
			failure = err
		case <-late.Done():
			failure = errors.New("no answer to a publish")
		}
	}
	if failure != nil {
		e.complete(token, statusFailed, []byte(plain(failure.Error())))
		e.repair()
		return
	}
	e.complete(token, statusOK, nil)
}

// repairs are what somebody may have changed by hand so that a stream takes nothing any more.
type repairs struct {
	mu   sync.Mutex
	next time.Time // not before
}

// repair brings all that is declared up to date, now and then, and until it has worked: what was refused may be the last that is
// published for long.
func (e *engine) repair() {
	const pause = 2 * time.Second
	if !e.repairs.mu.TryLock() {
		return // another one does it
	}
	defer e.repairs.mu.Unlock()
	for failed := true; failed; e.repairs.next = time.Now().Add(pause) {
		select {
		case <-time.After(time.Until(e.repairs.next)):
		case <-e.alive.Done():
			return
		}
		failed = false
		for _, stream := range e.declared.all() {
			if err := e.provisionAgain(stream); err != nil {
				e.complain(fmt.Errorf("stream %s: %w", stream, err))
				failed = true
			}
		}
	}
}

// ---- subscriptions

// subscriptions holds what gives each up, by token.
type subscriptions struct {
	mu     sync.Mutex
	giveUp map[uint64]context.CancelFunc
}

func (s *subscriptions) add(token uint64, giveUp context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.giveUp == nil {
		s.giveUp = map[uint64]context.CancelFunc{}
	}
	s.giveUp[token] = giveUp
}

func (s *subscriptions) end(token uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if giveUp := s.giveUp[token]; giveUp != nil {
		giveUp()
		delete(s.giveUp, token)
	}
}

// engine_subscribe delivers a durable consumer's messages to the token until engine_unsubscribe: a subscription that ends is
// made again, and so are its stream and consumer.
//
//export engine_subscribe
func engine_subscribe(handle C.uint64_t, streamName, consumerName *C.char, prefetch C.int, token C.uint64_t) {
	e := find(handle)
	if e == nil {
		return
	}
	stream, name := C.GoString(streamName), C.GoString(consumerName)
	wanted, giveUp := context.WithCancel(e.alive)
	e.subscriptions.add(uint64(token), giveUp)
	go func() {
		defer e.guard(uint64(token))
		e.keepConsuming(wanted, stream, name, int(prefetch), uint64(token))
	}()
}

// engine_unsubscribe does not wait: what is on its way to C++ when it returns is refused there.
//
//export engine_unsubscribe
func engine_unsubscribe(handle C.uint64_t, token C.uint64_t) {
	if e := find(handle); e != nil {
		e.subscriptions.end(uint64(token))
	}
}

func (e *engine) keepConsuming(wanted context.Context, stream, name string, prefetch int, token uint64) {
	const shortest, longest = 50 * time.Millisecond, 2 * time.Second
	pause := shortest
	for wanted.Err() == nil {
		started := time.Now()
		err := e.consume(wanted, stream, name, prefetch, token)
		if wanted.Err() != nil {
			return
		}
		if time.Since(started) > longest {
			pause = shortest
		}
		e.complain(fmt.Errorf("the subscription of %s to %s is made again: %w", name, stream, err))
		select {
		case <-wanted.Done():
			return
		case <-time.After(pause):
		}
		pause = min(pause*2, longest)
		if err := e.provisionAgain(stream); err != nil {
			e.complain(fmt.Errorf("stream %s: %w", stream, err))
		}
	}
}

// provisionAgain makes a stream and all its consumers if they are gone.
func (e *engine) provisionAgain(stream string) error {
	spec, consumers, known := e.declared.of(stream)
	if !known || !e.conn.IsConnected() {
		return nil
	}
	ctx, cancel := context.WithTimeout(e.alive, answerTime)
	defer cancel()
	err := insist(ctx, func(once context.Context) error { return e.ensureStream(once, spec) })
	for _, name := range consumers {
		if err == nil {
			err = insist(ctx, func(once context.Context) error { return e.ensureConsumer(once, stream, name) })
		}
	}
	return err
}

// consume returns when the subscription must be made again, and why; or when it is not wanted any more.
func (e *engine) consume(wanted context.Context, stream, name string, prefetch int, token uint64) error {
	ctx, cancel := context.WithTimeout(wanted, answerTime)
	defer cancel()
	consumer, err := e.js.Consumer(ctx, stream, name)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	deliver := func(m jetstream.Msg) {
		if wanted.Err() != nil {
			m.Nak() // for who subscribes now, or next
			return
		}
		e.deliver(token, m.Reply(), m.Data())
	}
	failed := func(_ jetstream.ConsumeContext, err error) {
		if !endsSubscription(err) {
			return
		}
		select {
		case ended <- err:
		default:
		}
	}
	consuming, err := consumer.Consume(deliver, jetstream.PullMaxMessages(prefetch), jetstream.PullExpiry(10*time.Second),
		jetstream.PullHeartbeat(2*time.Second), jetstream.ConsumeErrHandler(failed))
	if err != nil {
		return err
	}
	defer consuming.Stop()
	select {
	case err = <-ended:
		return err
	case <-consuming.Closed():
		return errors.New("closed")
	case <-wanted.Done():
		e.drain(consuming)
		return wanted.Err()
	}
}

// drain ends the pulls, and waits until everything that came before the server knew of it has been refused.
func (e *engine) drain(consuming jetstream.ConsumeContext) {
	closed := consuming.Closed()
	consuming.Drain()
	select {
	case <-closed:
	case <-time.After(answerTime):
	case <-e.alive.Done():
	}
}

func endsSubscription(err error) bool {
	for _, end := range []error{jetstream.ErrConsumerDeleted, jetstream.ErrConsumerNotFound, jetstream.ErrStreamNotFound,
		jetstream.ErrNoHeartbeat, jetstream.ErrBadRequest, nats.ErrNoResponders} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}
