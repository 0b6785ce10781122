// Package main is the engine: nats-server and nats.go behind a dozen C functions (engine.h shows them to C++).
//
// Nothing here blocks C++ but engine_open, engine_ensure_stream and engine_ensure_consumer. Everything else is handed over
// with a token; what comes of it is a record in a queue that C++ drains after its eventfd rang. A panic never leaves Go.
package main

/*
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
*/
import "C"

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {}

// Kinds of a record's status.
const (
	statusOK       = 0
	statusFailed   = 1
	statusMessage  = 2 // of a subscription: uvarint length of the reply subject, the subject, the payload
	statusStream   = 3 // a subscription ended; it is made again
	statusLog      = 4 // token 0: a line for the log; first byte is the level
	maxQueuedBytes = 64 << 20
)

type options struct {
	StoreDir    string `json:"store_dir"`
	Memory      bool   `json:"memory"`
	MaxMemoryMB int64  `json:"max_memory_mb"`
	Threads     int    `json:"threads"`
	URL         string `json:"url"`
	User        string `json:"user"`
	Password    string `json:"password"`
	Token       string `json:"token"`
	Credentials string `json:"credentials"`
	NKey        string `json:"nkey"`
	CA          string `json:"tls_ca"`
	Cert        string `json:"tls_cert"`
	Key         string `json:"tls_key"`
}

// engine is one open connection, and the server behind it when embedded.
type engine struct {
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream

	mu      sync.Mutex
	room    *sync.Cond // signalled when the queue has room again
	queue   []byte     // records, one after the other
	eventfd int
	closed  bool
	subs    map[uint64]func()
	batches chan batch
}

var (
	handles   = map[uint64]*engine{}
	handlesMu sync.Mutex
	lastID    uint64
)

func find(handle C.uint64_t) *engine {
	handlesMu.Lock()
	defer handlesMu.Unlock()
	return handles[uint64(handle)]
}

// complete queues a record: token, status, length, bytes. It waits while C++ is far behind.
func (e *engine) complete(token uint64, status uint32, data ...[]byte) {
	size := 0
	for _, part := range data {
		size += len(part)
	}
	var head [16]byte
	binary.LittleEndian.PutUint64(head[0:], token)
	binary.LittleEndian.PutUint32(head[8:], status)
	binary.LittleEndian.PutUint32(head[12:], uint32(size))
	e.mu.Lock()
	for len(e.queue) > maxQueuedBytes && !e.closed {
		e.room.Wait()
	}
	if e.closed {
		e.mu.Unlock()
		return
	}
	wasEmpty := len(e.queue) == 0
	e.queue = append(e.queue, head[:]...)
	for _, part := range data {
		e.queue = append(e.queue, part...)
	}
	fd := e.eventfd
	e.mu.Unlock()
	if wasEmpty {
		one := [8]byte{1}
		syscall.Write(fd, one[:])
	}
}

func (e *engine) guard(token uint64) {
	if r := recover(); r != nil {
		e.complete(token, statusFailed, []byte(fmt.Sprint("panic: ", r)))
	}
}

// logger passes nats-server's log on; its Fatalf does not exit.
type logger struct{ e *engine }

func (l logger) line(level byte, format string, v ...any) {
	l.e.complete(0, statusLog, []byte{level}, []byte(fmt.Sprintf(format, v...)))
}
func (l logger) Noticef(format string, v ...any) { l.line(0, format, v...) }
func (l logger) Warnf(format string, v ...any)   { l.line(2, format, v...) }
func (l logger) Fatalf(format string, v ...any)  { l.line(3, format, v...) }
func (l logger) Errorf(format string, v ...any)  { l.line(3, format, v...) }
func (l logger) Debugf(format string, v ...any)  {}
func (l logger) Tracef(format string, v ...any)  {}

func (e *engine) startServer(o options) error {
	if err := os.MkdirAll(o.StoreDir, 0o700); err != nil {
		return err
	}
	opts := &server.Options{
		ServerName:         "myelin",
		DontListen:         true,
		JetStream:          true,
		StoreDir:           o.StoreDir,
		NoSigs:             true,
		NoSystemAccount:    true,
		MaxPayload:         8 << 20,
		JetStreamMaxMemory: 256 << 20,
		JetStreamMaxStore:  8 << 30,
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	s.SetLoggerV2(logger{e}, false, false, false)
	go func() {
		defer e.guard(0)
		s.Start()
	}()
	if !s.ReadyForConnections(20 * time.Second) {
		s.Shutdown()
		return errors.New("the embedded engine is not ready within 20 s")
	}
	if !s.JetStreamEnabled() {
		s.Shutdown()
		return fmt.Errorf("the embedded engine has no JetStream: is %s writable?", o.StoreDir)
	}
	e.server = s
	return nil
}

func (e *engine) connect(o options) error {
	opts := []nats.Option{
		nats.Name("myelin"), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
		nats.Timeout(5 * time.Second), nats.RetryOnFailedConnect(false),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				logger{e}.Warnf("NATS: disconnected: %v", err)
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) { logger{e}.Noticef("NATS: connected again to %s", c.ConnectedUrl()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { logger{e}.Warnf("NATS: %v", err) }),
	}
	if o.User != "" {
		opts = append(opts, nats.UserInfo(o.User, o.Password))
	}
	if o.Token != "" {
		opts = append(opts, nats.Token(o.Token))
	}
	if o.Credentials != "" {
		opts = append(opts, nats.UserCredentials(o.Credentials))
	}
	if o.NKey != "" {
		option, err := nats.NkeyOptionFromSeed(o.NKey)
		if err != nil {
			return err
		}
		opts = append(opts, option)
	}
	if o.CA != "" {
		opts = append(opts, nats.RootCAs(o.CA))
	}
	if o.Cert != "" {
		opts = append(opts, nats.ClientCert(o.Cert, o.Key))
	}
	url := o.URL
	if e.server != nil {
		opts, url = append(opts, nats.InProcessServer(e.server)), ""
	}
	conn, err := nats.Connect(url, opts...)
	if err != nil {
		return err
	}
	e.conn = conn
	e.js, err = jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(4096),
		jetstream.WithPublishAsyncTimeout(2*time.Second), jetstream.WithDefaultTimeout(10*time.Second))
	return err
}

//export engine_open
func engine_open(optionsJSON *C.char, length C.int, eventfd C.int, message **C.char) (handle C.uint64_t) {
	fail := func(text string) C.uint64_t {
		*message = C.CString(text)
		return 0
	}
	defer func() {
		if r := recover(); r != nil {
			handle = fail(fmt.Sprint("panic: ", r))
		}
	}()
	var o options
	if err := json.Unmarshal(C.GoBytes(unsafe.Pointer(optionsJSON), length), &o); err != nil {
		return fail(err.Error())
	}
	// GOMAXPROCS, GOGC and GOMEMLIMIT of the environment were read before main(): set them here.
	if o.Threads > 0 {
		runtime.GOMAXPROCS(o.Threads)
	}
	if o.MaxMemoryMB > 0 {
		debug.SetMemoryLimit(o.MaxMemoryMB << 20)
	}
	e := &engine{eventfd: int(eventfd), subs: map[uint64]func(){}, batches: make(chan batch, 256)}
	e.room = sync.NewCond(&e.mu)
	if o.URL == "" {
		if err := e.startServer(o); err != nil {
			return fail(err.Error())
		}
	}
	if err := e.connect(o); err != nil {
		if e.server != nil {
			e.server.Shutdown()
		}
		return fail(err.Error())
	}
	go e.publisher()
	handlesMu.Lock()
	lastID++
	id := lastID
	handles[id] = e
	handlesMu.Unlock()
	return C.uint64_t(id)
}

//export engine_close
func engine_close(handle C.uint64_t) {
	defer func() { recover() }()
	e := find(handle)
	if e == nil {
		return
	}
	handlesMu.Lock()
	delete(handles, uint64(handle))
	handlesMu.Unlock()
	e.mu.Lock()
	e.closed = true
	e.room.Broadcast()
	subs := e.subs
	e.subs = map[uint64]func(){}
	e.mu.Unlock()
	for _, stop := range subs {
		stop()
	}
	close(e.batches)
	e.conn.Close()
	if e.server != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
}

//export engine_drain
func engine_drain(handle C.uint64_t, out *C.char, capacity C.int) C.int {
	e := find(handle)
	if e == nil {
		return 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	// Whole records only; a first one that does not fit is asked for with its size, negative.
	end := 0
	for end+16 <= len(e.queue) {
		size := 16 + int(binary.LittleEndian.Uint32(e.queue[end+12:]))
		if end+size > int(capacity) {
			if end == 0 {
				return C.int(-size)
			}
			break
		}
		end += size
	}
	if end == 0 {
		return 0
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(out)), int(capacity)), e.queue[:end])
	rest := len(e.queue) - end
	copy(e.queue, e.queue[end:])
	e.queue = e.queue[:rest]
	if rest == 0 && cap(e.queue) > 1<<20 {
		e.queue = nil
	}
	e.room.Broadcast()
	return C.int(end)
}

//export engine_memory
func engine_memory() C.uint64_t {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return C.uint64_t(m.Sys - m.HeapReleased)
}

// storeSize is for tests that ask the real engine what it holds: the stream's last sequence.
//
//export engine_last_sequence
func engine_last_sequence(handle C.uint64_t, stream *C.char) (last C.int64_t) {
	defer func() {
		if recover() != nil {
			last = -1
		}
	}()
	e := find(handle)
	if e == nil {
		return -1
	}
	info, err := e.js.Stream(contextWithTimeout(), C.GoString(stream))
	if err != nil {
		return -1
	}
	return C.int64_t(info.CachedInfo().State.LastSeq)
}
