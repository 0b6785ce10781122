// Package main is the engine: nats-server and nats.go behind a dozen C functions (engine.h shows them to C++).
//
// The exported functions are for the start, the end and tests: they block. Everything else passes through two mailboxes of
// C++ (mailbox.go): what C++ submits under a token, and what comes of it. A panic never leaves Go.
package main

/*
#include <stdint.h>
#include <stdlib.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {}

const (
	startTime  = 20 * time.Second
	answerTime = 10 * time.Second // for what C++ waits for
	pingTime   = time.Second      // a server that has answered none of two is left for another
	dialTime   = 2 * time.Second
	silence    = 1500 * time.Millisecond // of a server, to what was sent to it

	tcpUserTimeout = 18 // of Linux's tcp.h
)

type options struct {
	StoreDir    string `json:"store_dir"`
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
	*mailboxes
	*queue // of records for C++
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	name   atomic.Value // of the server that it is connected to; the connection is locked while it is being made again

	alive context.Context // until engine_close
	die   context.CancelFunc

	batches  chan batch
	outgoing outgoing

	declared      declared
	subscriptions subscriptions
	repairs       repairs
	growing       atomic.Bool // its streams have fewer replicas than they should
	complaints    complaints
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

func (e *engine) guard(token uint64) {
	if r := recover(); r != nil {
		e.complete(token, statusFailed, []byte(fmt.Sprint("panic: ", r)))
	}
}

// errDeclared: what is there was declared otherwise, and cannot be changed without loss.
var errDeclared = errors.New("declared otherwise")

// errDamaged: the embedded engine cannot use what is in its store.
var errDamaged = errors.New("damaged")

// refused by JetStream, with one of these codes.
func refused(err error, codes ...jetstream.ErrorCode) bool {
	var refusal *jetstream.APIError
	return errors.As(err, &refusal) && slices.Contains(codes, refusal.ErrorCode)
}

// storeFailed: the server cannot make or read the files of a stream or consumer.
func storeFailed(err error) bool {
	return refused(err, 10012, 10049, 10077, 10104) // a consumer or stream is not created, or its store failed
}

// tooFewServers of a cluster are alive, or have room, for a stream's replicas.
const tooFewServers jetstream.ErrorCode = 10005

// full: JetStream's limits leave no room for a stream.
func full(err error) bool {
	return refused(err, 10002, 10023, 10028, 10047) // of the account, of the server; memory, files
}

// silent: nobody is there to answer, which may change by itself.
func silent(err error) bool {
	for _, each := range []error{nats.ErrNoServers, nats.ErrTimeout, nats.ErrNoResponders, context.DeadlineExceeded} {
		if errors.Is(err, each) {
			return true
		}
	}
	var dial *net.OpError
	var name *net.DNSError
	var refusal *jetstream.APIError
	return errors.As(err, &name) || errors.As(err, &dial) && (dial.Op == "dial" || dial.Timeout()) ||
		errors.As(err, &refusal) && refusal.Code == 503 || refused(err, tooFewServers)
}

// result says to C++ how a step ended: 1 is success, 2 errDeclared, 3 silence, 4 damage, 0 any other failure.
func result(err error) C.int {
	switch {
	case err == nil:
		return 1
	case errors.Is(err, errDeclared):
		return 2
	case errors.Is(err, errDamaged):
		return 4
	case silent(err), storeFailed(err), full(err): // an external server's files are its own: they may be right again soon
		return 3
	}
	return 0
}

// plain is in our words, and without the client's "nats: ", as what it stands in says so. Nothing is kept for a lost
// connection, so a full buffer means that there is none.
var plain = strings.NewReplacer(nats.ErrReconnectBufExceeded.Error(), "not connected",
	context.DeadlineExceeded.Error(), "it does not answer", "nats: ", "").Replace

func text(err error) *C.char { return C.CString(plain(err.Error())) }

// call runs a blocking step for C++; what went wrong is the message.
func call(handle C.uint64_t, message **C.char, step func(*engine, context.Context) error) (ok C.int) {
	defer func() {
		if r := recover(); r != nil {
			*message = C.CString(fmt.Sprint("panic: ", r))
			ok = 0
		}
	}()
	e := find(handle)
	if e == nil {
		*message = C.CString("the engine is closed")
		return 0
	}
	ctx, cancel := context.WithTimeout(e.alive, answerTime)
	defer cancel()
	err := e.explained(step(e, ctx))
	if e.server != nil && storeFailed(err) {
		err = fmt.Errorf("%w: %v", errDamaged, err)
	}
	if err != nil {
		*message = text(err)
	}
	return result(err)
}

// logger passes nats-server's log on, and keeps what was fatal: its Fatalf does not exit.
type logger struct {
	*queue
	mu    *sync.Mutex
	fatal *string
}

func (l logger) line(level byte, format string, v ...any) { l.log(level, fmt.Sprintf(format, v...)) }
func (l logger) Noticef(format string, v ...any)          { l.line(0, format, v...) }
func (l logger) Warnf(format string, v ...any)            { l.line(2, format, v...) }
func (l logger) Errorf(format string, v ...any)           { l.line(3, format, v...) }
func (l logger) Debugf(format string, v ...any)           {}
func (l logger) Tracef(format string, v ...any)           {}
func (l logger) Fatalf(format string, v ...any) {
	l.line(3, format, v...)
	l.mu.Lock()
	defer l.mu.Unlock()
	*l.fatal = fmt.Sprintf(format, v...)
}

func (l logger) why() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *l.fatal
}

func (e *engine) info(format string, v ...any)    { e.log(1, fmt.Sprintf(format, v...)) }
func (e *engine) warning(format string, v ...any) { e.log(2, plain(fmt.Sprintf(format, v...))) }

// complaints: each is told once a minute, and of missing permissions a few: they name a subject, which may be each message's own.
type complaints struct {
	mu      sync.Mutex
	since   time.Time
	told    map[string]bool
	denials int   // told
	denied  error // the last one
	at      time.Time
}

func (e *engine) complain(err error) {
	const mostDenials = 6
	c, text := &e.complaints, err.Error()
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.since) > time.Minute {
		c.since, c.told, c.denials = time.Now(), map[string]bool{}, 0
	}
	isDenial := errors.Is(err, nats.ErrPermissionViolation)
	if isDenial {
		c.denied, c.at = err, time.Now()
	}
	if c.told[text] || isDenial && c.denials == mostDenials {
		return
	}
	if isDenial {
		c.denials++
	}
	c.told[text] = true
	e.warning("NATS: %s", text)
}

// explained: nobody answers what nobody was allowed to ask.
func (e *engine) explained(err error) error {
	c := &e.complaints
	c.mu.Lock()
	defer c.mu.Unlock()
	if silent(err) && c.denied != nil && time.Since(c.at) < answerTime {
		return fmt.Errorf("%w (%w)", err, c.denied)
	}
	return err
}

func (e *engine) startServer(o options) error {
	if err := os.MkdirAll(o.StoreDir, 0o700); errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%w: %v", errDamaged, err)
	} else if err != nil {
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
	log := logger{e.queue, new(sync.Mutex), new(string)}
	s.SetLoggerV2(log, false, false, false)
	go func() {
		defer e.guard(0)
		s.Start()
	}()
	ready, end := false, time.Now().Add(startTime)
	for !ready && log.why() == "" && time.Now().Before(end) {
		ready = s.ReadyForConnections(50 * time.Millisecond)
	}
	if why := log.why(); why != "" {
		s.Shutdown()
		return fmt.Errorf("%w: the embedded engine does not start in %s: %s", errDamaged, o.StoreDir, why)
	}
	if !ready || !s.JetStreamEnabled() {
		s.Shutdown()
		return fmt.Errorf("the embedded engine is not ready in %s within %v", o.StoreDir, startTime)
	}
	e.server = s
	return nil
}

// withoutSecrets: NATS URLs, separated by commas, may hold passwords.
func withoutSecrets(urls string) string {
	var out []string
	for _, text := range strings.Split(urls, ",") {
		if u, err := url.Parse(text); err == nil {
			out = append(out, u.Redacted())
		}
	}
	return strings.Join(out, ",")
}

// dialer makes connections that are lost with what they have not delivered within silence: a command shall not arrive when its
// sender has long given it up.
func dialer() *net.Dialer {
	return &net.Dialer{Timeout: dialTime, Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(silence.Milliseconds()))
		})
	}}
}

func (e *engine) connect(o options) error {
	opts := []nats.Option{
		nats.Name("myelin"), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
		nats.SetCustomDialer(dialer()), nats.ReconnectBufSize(-1), nats.RetryOnFailedConnect(false),
		nats.PingInterval(pingTime), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			e.name.Store("")
			if err != nil {
				e.warning("NATS: disconnected: %v", err)
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) {
			e.name.Store(c.ConnectedServerName())
			e.info("NATS: connected again to %s", c.ConnectedUrlRedacted())
			e.complete(0, statusBack, nil)
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { e.complain(err) }),
		nats.IgnoreAuthErrorAbort(), // what was taken from us may be given back
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
	if e.server != nil {
		opts = append(opts, nats.InProcessServer(e.server))
	}
	conn, err := nats.Connect(o.URL, opts...)
	if err != nil && o.URL != "" {
		err = fmt.Errorf("%s: %w", withoutSecrets(o.URL), err)
	}
	if err != nil {
		return err
	}
	e.conn = conn
	if e.server != nil {
		e.name.Store("embedded")
	} else {
		e.name.Store(conn.ConnectedServerName())
	}
	e.js, err = jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(4096),
		jetstream.WithPublishAsyncTimeout(2*time.Second), jetstream.WithDefaultTimeout(answerTime))
	return err
}

func open(o options, boxes *mailboxes) (_ *engine, err error) {
	// GOMAXPROCS, GOGC and GOMEMLIMIT of the environment were read before main(): set them here.
	if o.Threads > 0 {
		runtime.GOMAXPROCS(o.Threads)
	}
	if o.MaxMemoryMB > 0 {
		debug.SetMemoryLimit(o.MaxMemoryMB << 20)
	}
	e := &engine{mailboxes: boxes, queue: newQueue(), batches: make(chan batch, 256), outgoing: outgoing{some: make(chan struct{}, 1)}}
	e.alive, e.die = context.WithCancel(context.Background())
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
		if err != nil {
			e.stop()
		}
	}()
	if o.URL == "" {
		if err := e.startServer(o); err != nil {
			return nil, err
		}
	}
	if err := e.connect(o); err != nil {
		return nil, err
	}
	go e.publisher()
	go e.sender()
	go e.taker()
	go e.giver()
	return e, nil
}

func (e *engine) stop() {
	e.mailboxes.close() // first: from here on nothing touches them
	e.queue.end()
	e.die()
	if e.conn != nil {
		e.conn.Close()
	}
	if e.server != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
}

// engine_open takes C++'s mailboxes, the functions that take from toGo and give to fromGo, and a bell of toGo to keep.
//
//export engine_open
func engine_open(optionsJSON *C.char, length C.int, toGo, fromGo, take, give unsafe.Pointer, bell C.int, status *C.int, message **C.char) C.uint64_t {
	boxes := &mailboxes{toGo: toGo, fromGo: fromGo, takeOf: take, giveOf: give, bell: os.NewFile(uintptr(bell), "bell")}
	var o options
	err := json.Unmarshal(C.GoBytes(unsafe.Pointer(optionsJSON), length), &o)
	var e *engine
	if err == nil {
		e, err = open(o, boxes)
	}
	*status = result(err)
	if err != nil {
		*message = text(err)
		return 0
	}
	handlesMu.Lock()
	defer handlesMu.Unlock()
	lastID++
	handles[lastID] = e
	return C.uint64_t(lastID)
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
	e.stop()
}

//export engine_memory
func engine_memory() C.uint64_t {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return C.uint64_t(m.Sys - m.HeapReleased)
}

// engine_last_sequence: of a stream, or -1 when there is no such stream.
//
//export engine_last_sequence
func engine_last_sequence(handle C.uint64_t, stream *C.char) C.int64_t {
	last, name := C.int64_t(-1), C.GoString(stream)
	var ignored *C.char
	if call(handle, &ignored, func(e *engine, ctx context.Context) error {
		info, err := e.js.Stream(ctx, name)
		if err == nil {
			last = C.int64_t(info.CachedInfo().State.LastSeq)
		}
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		return err
	}) != 1 {
		C.free(unsafe.Pointer(ignored))
	}
	return last
}
