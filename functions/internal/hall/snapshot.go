package hall

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strconv"
	"sync"
	"time"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// Snapshot is an encoded seat map.
type Snapshot struct {
	ETag       string
	Taken      time.Time
	Body       []byte
	Compressed func() []byte // gzip of Body, made for the first client that accepts it
}

// etagOf returns the ETag of a view's seat map. It changes if a seat does: a change has an ID
// of its own, and a hold that ended without one is counted.
func etagOf(view View) string {
	return fmt.Sprintf(`W/"%s-%d-%d"`, view.Position(), view.Len(), view.Lapsed())
}

// newSnapshot encodes the seat map of a view:
//
//	{"event_id":"gala","as_of":"…","last_event_id":"…","seats":[{"seat_id":"1A","status":"Reserved","expires_in_ms":299990}]}
//
// as_of is by the clock of Redis, and expires_in_ms counts from it. /changes resumes after
// last_event_id. The IDs of events, changes and seats need no escapes.
func newSnapshot(event string, taken time.Time, view View) *Snapshot {
	b := make([]byte, 0, 256+64*view.Len())
	b = append(append(b, `{"event_id":"`...), event...)
	b = append(append(b, `","as_of":"`...), api.Time(view.At())...)
	b = append(append(b, `","last_event_id":"`...), view.Position()...)
	b = append(b, `","seats":[`...)
	first := true
	for seat := range view.Seats() {
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
		b = append(b, '}')
	}
	b = append(b, "]}\n"...)
	return &Snapshot{ETag: etagOf(view), Taken: taken, Body: b, Compressed: sync.OnceValue(func() []byte { return compress(b) })}
}

func compress(body []byte) []byte {
	var buf bytes.Buffer
	w, _ := gzip.NewWriterLevel(&buf, gzip.BestSpeed) // the level is valid
	_, _ = w.Write(body)                              // a Buffer never fails
	_ = w.Close()
	return buf.Bytes()
}
