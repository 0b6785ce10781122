package main

/*
#include <stdint.h>
typedef int (*take_function)(void*, char*, int);
typedef int (*give_function)(void*, const char*, int);
static int call_take(void* f, void* box, char* out, int capacity) { return ((take_function)f)(box, out, capacity); }
static int call_give(void* f, void* box, const char* records, int size) { return ((give_function)f)(box, records, size); }
#cgo noescape call_take
#cgo nocallback call_take
#cgo noescape call_give
#cgo nocallback call_give
*/
import "C"

import (
	"os"
	"sync"
	"time"
	"unsafe"
)

// mailboxes are C++'s (mailbox.h). One goroutine takes from one and one gives to the other, so that at most two threads
// stand in C++; neither touches them after close.
type mailboxes struct {
	mu             sync.Mutex
	closed         bool
	toGo, fromGo   unsafe.Pointer
	takeOf, giveOf unsafe.Pointer
	bell           *os.File // of toGo
}

func pointer(data []byte) *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(data))) }

// take waits for records from C++; nil after close.
func (m *mailboxes) take() []byte {
	var rung [8]byte
	if _, err := m.bell.Read(rung[:]); err != nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := []byte{}
	for !m.closed {
		n := int(C.call_take(m.takeOf, m.toGo, pointer(out), C.int(len(out))))
		if n >= 0 {
			return out[:n]
		}
		out = make([]byte, -n)
	}
	return nil
}

// give hands records to C++, and waits while it is far behind.
func (m *mailboxes) give(records []byte) {
	for !m.tryGive(records) {
		time.Sleep(time.Millisecond)
	}
}

func (m *mailboxes) tryGive(records []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed || C.call_give(m.giveOf, m.fromGo, pointer(records), C.int(len(records))) != 0
}

func (m *mailboxes) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.bell.Close()
}
