package hall

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"booking/functions/internal/api"
	"booking/seatlock"
)

const (
	// chunkSize is how many bytes of a seat map are encoded at a time.
	chunkSize = 16 << 10
	// workTime is how long an encoder works before it pauses for pauseTime. So a call that
	// wants the CPU waits for at most that long, and not for a whole seat map.
	workTime  = 200 * time.Microsecond
	pauseTime = 500 * time.Microsecond
)

// Snapshot is a seat map of a time. Body and Compressed encode it for the first reader.
type Snapshot struct {
	ETag       string
	Taken      time.Time
	Body       func() []byte
	Compressed func() []byte // gzip of Body
}

// etagOf returns the ETag of a view's seat map. It changes if a seat does: a change has an ID
// of its own, and a hold that ended without one is counted.
func etagOf(view View) string {
	return fmt.Sprintf(`W/"%s-%d-%d"`, view.Position(), view.Len(), view.Lapsed())
}

// newSnapshot returns the seat map of a view:
//
//	{"event_id":"gala","as_of":"…","last_event_id":"…","seats":[{"seat_id":"1A","status":"Reserved","expires_in_ms":299990}]}
//
// as_of is by the clock of Redis, and expires_in_ms counts from it. /changes resumes after
// last_event_id. The IDs of events, changes and seats need no escapes.
func newSnapshot(event string, taken time.Time, view View) *Snapshot {
	head := fmt.Appendf(nil, `{"event_id":"%s","as_of":"%s","last_event_id":"%s","seats":[`, event, api.Time(view.At()), view.Position())
	seats, length := view.Seats(), view.Len()
	return &Snapshot{
		ETag:  etagOf(view),
		Taken: taken,
		Body: sync.OnceValue(func() []byte {
			var body bytes.Buffer
			body.Grow(len(head) + 80*length)
			encode(&body, head, seats)
			return body.Bytes()
		}),
		Compressed: sync.OnceValue(func() []byte {
			var body bytes.Buffer
			w := compressors.Get().(*gzip.Writer)
			defer compressors.Put(w)
			w.Reset(&body)
			encode(w, head, seats)
			_ = w.Close() // a Buffer never fails
			return body.Bytes()
		}),
	}
}

// compressors keeps writers: each has a megabyte of tables.
var compressors = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
	return w
}}

// encode writes a seat map to w, which never fails.
func encode(w io.Writer, head []byte, seats iter.Seq[seatlock.Seat]) {
	b, began := append(make([]byte, 0, chunkSize+256), head...), time.Now()
	first := true
	for seat := range seats {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(append(b, `{"seat_id":"`...), seat.ID...)
		b = append(append(b, `","status":"`...), seat.Status.String()...)
		b = append(b, '"')
		if seat.Status == seatlock.Reserved {
			b = strconv.AppendInt(append(b, `,"expires_in_ms":`...), seat.ExpiresIn.Milliseconds(), 10)
		}
		if b = append(b, '}'); len(b) < chunkSize {
			continue
		}
		_, _ = w.Write(b)
		b = b[:0]
		if time.Since(began) >= workTime {
			time.Sleep(pauseTime)
			began = time.Now()
		}
	}
	_, _ = w.Write(append(b, "]}\n"...))
}
