package main

/*
#include <stdint.h>
*/
import "C"

import (
	"encoding/binary"
	"sync"
	"syscall"
	"unsafe"
)

// Kinds of a record's status.
const (
	statusOK      = 0
	statusFailed  = 1
	statusMessage = 2 // of a subscription: uvarint length of the reply subject, the subject, the payload
	statusLog     = 4 // token 0: a line for the log; first byte is the level
)

const (
	maxQueuedBytes = 16 << 20 // beyond it deliveries wait and log lines are dropped
	recordHead     = 16       // u64 token, u32 status, u32 size; little endian
)

// queue holds records until C++ drains them; it rings the eventfd when it is no longer empty. Only deliver waits for room:
// results and log lines come from places that must not stand still, and results are bounded by what was asked for.
type queue struct {
	mu      sync.Mutex
	room    *sync.Cond
	records []byte
	start   int // of what is not drained yet
	eventfd int
	closed  bool
}

func newQueue(eventfd int) *queue {
	q := &queue{eventfd: eventfd}
	q.room = sync.NewCond(&q.mu)
	return q
}

func (q *queue) full() bool { return len(q.records)-q.start > maxQueuedBytes }

// append adds a record. The eventfd is written under the lock, so never after close: C++ closes it then. Locked.
func (q *queue) append(token uint64, status uint32, data ...[]byte) {
	if q.closed {
		return
	}
	size := 0
	for _, part := range data {
		size += len(part)
	}
	var head [recordHead]byte
	binary.LittleEndian.PutUint64(head[0:], token)
	binary.LittleEndian.PutUint32(head[8:], status)
	binary.LittleEndian.PutUint32(head[12:], uint32(size))
	wasEmpty := len(q.records) == q.start
	q.records = append(q.records, head[:]...)
	for _, part := range data {
		q.records = append(q.records, part...)
	}
	if wasEmpty {
		one := [8]byte{1}
		syscall.Write(q.eventfd, one[:])
	}
}

// complete answers what was submitted under the token.
func (q *queue) complete(token uint64, status uint32, data []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.append(token, status, data)
}

// deliver hands a message to the token's subscription. It waits while C++ is far behind.
func (q *queue) deliver(token uint64, reply string, data []byte) {
	var size [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(size[:], uint64(len(reply)))
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.full() && !q.closed {
		q.room.Wait()
	}
	q.append(token, statusMessage, size[:n], []byte(reply), data)
}

func (q *queue) log(level byte, line string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.full() {
		q.append(0, statusLog, []byte{level}, []byte(line))
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.room.Broadcast()
}

// drain copies whole records and returns their size; that of the first one, negative, if it does not fit.
func (q *queue) drain(out []byte) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.records[q.start:]
	end := 0
	for end+recordHead <= len(waiting) {
		size := recordHead + int(binary.LittleEndian.Uint32(waiting[end+12:]))
		if end+size > len(out) {
			if end == 0 {
				return -size
			}
			break
		}
		end += size
	}
	copy(out, waiting[:end])
	q.start += end
	q.compact()
	q.room.Broadcast()
	return end
}

// compact gives drained space back, moving what is left only when that is the smaller part. Locked.
func (q *queue) compact() {
	left := len(q.records) - q.start
	switch {
	case left == 0 && cap(q.records) > 1<<20:
		q.records, q.start = nil, 0
	case left == 0:
		q.records, q.start = q.records[:0], 0
	case q.start > 1<<20 && q.start > left:
		copy(q.records, q.records[q.start:])
		q.records, q.start = q.records[:left], 0
	}
}

//export engine_drain
func engine_drain(handle C.uint64_t, out *C.char, capacity C.int) C.int {
	e := find(handle)
	if e == nil {
		return 0
	}
	return C.int(e.drain(unsafe.Slice((*byte)(unsafe.Pointer(out)), int(capacity))))
}
