package main

import (
	"encoding/binary"
	"sync"
	"time"
)

const (
	recordHead     = 16       // u64 token, u32 kind, u32 size; little endian
	maxQueuedBytes = 16 << 20 // beyond it deliveries wait and log lines are dropped
)

// Kinds of records for C++.
const (
	statusOK      = 0
	statusFailed  = 1
	statusMessage = 2 // of a subscription: uvarint length of the reply subject, the subject, the payload
	statusLog     = 4 // token 0: a line for the log; first byte is the level
	statusTimeout = 8 // a request's deadline is over
	statusBack    = 9 // token 0: the connection was lost and is there again
)

// Kinds of records from C++. A message is u16 length of the subject, u32 length of the payload (little endian), both.
const (
	kindPublish = 1 // messages; the token is completed once all are stored, or failed
	kindAck     = 2 // reply subjects, each ended by a newline
	kindHint    = 3 // a message
	kindRequest = 4 // u32 milliseconds, a message; its answer completes the token
	kindRefuse  = 5 // reply subjects as above, of messages to be delivered again at once
)

// queue holds records for C++ until the giver hands them over. Only deliver waits for room: results and log lines come from
// places that must not stand still, and results are bounded by what was asked for.
type queue struct {
	mu      sync.Mutex
	room    *sync.Cond
	some    *sync.Cond // there are records, or it is closed
	records []byte
	closed  bool
}

func newQueue() *queue {
	q := &queue{}
	q.room, q.some = sync.NewCond(&q.mu), sync.NewCond(&q.mu)
	return q
}

// append adds a record. Locked.
func (q *queue) append(token uint64, kind uint32, parts ...[]byte) {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	q.records = binary.LittleEndian.AppendUint64(q.records, token)
	q.records = binary.LittleEndian.AppendUint32(q.records, kind)
	q.records = binary.LittleEndian.AppendUint32(q.records, uint32(size))
	for _, part := range parts {
		q.records = append(q.records, part...)
	}
	q.some.Signal()
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
	for len(q.records) > maxQueuedBytes && !q.closed {
		q.room.Wait()
	}
	q.append(token, statusMessage, size[:n], []byte(reply), data)
}

func (q *queue) log(level byte, line string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.records) <= maxQueuedBytes {
		q.append(0, statusLog, []byte{level}, []byte(line))
	}
}

// next waits for records, and leaves an empty buffer in their place; nil after end.
func (q *queue) next(empty []byte) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.records) == 0 && !q.closed {
		q.some.Wait()
	}
	if q.closed {
		return nil
	}
	out := q.records
	q.records = empty
	q.room.Broadcast()
	return out
}

func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.room.Broadcast()
	q.some.Broadcast()
}

// giver hands what is queued to C++, all of it at a time.
func (e *engine) giver() {
	var spare []byte
	for {
		records := e.next(spare)
		if records == nil {
			return
		}
		e.give(records)
		if spare = records[:0]; cap(spare) > 1<<20 {
			spare = nil
		}
	}
}

// taker acts on what C++ submits.
func (e *engine) taker() {
	for {
		records := e.take()
		if records == nil {
			return
		}
		for len(records) >= recordHead {
			token := binary.LittleEndian.Uint64(records)
			kind := binary.LittleEndian.Uint32(records[8:])
			end := recordHead + int(binary.LittleEndian.Uint32(records[12:]))
			e.act(token, kind, records[recordHead:end:end])
			records = records[end:]
		}
	}
}

func (e *engine) act(token uint64, kind uint32, data []byte) {
	defer e.guard(token)
	switch kind {
	case kindPublish:
		select {
		case e.batches <- batch{data, token}:
		default:
			e.complete(token, statusFailed, []byte("too much is being published"))
		}
	case kindAck:
		e.outgoing.add(data, nil)
	case kindRefuse:
		e.outgoing.add(nil, data)
	case kindHint:
		subject, payload, _ := cutMessage(data)
		e.outgoing.add(nil, nil, hint{subject, payload})
	case kindRequest:
		deadline := time.Duration(binary.LittleEndian.Uint32(data)) * time.Millisecond
		subject, payload, _ := cutMessage(data[4:])
		go e.request(subject, payload, deadline, token)
	}
}

func cutMessage(data []byte) (subject string, payload, rest []byte) {
	at := 6 + int(binary.LittleEndian.Uint16(data))
	end := at + int(binary.LittleEndian.Uint32(data[2:]))
	return string(data[6:at]), data[at:end:end], data[end:]
}
