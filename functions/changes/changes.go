// Package changes is the call that tells every transition of an event's seats as it
// happens, as server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
package changes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"booking/functions/internal/api"
	"booking/seatlock"
)

const (
	// heartbeat is how often a silent stream shows that it is alive.
	heartbeat = 15 * time.Second
	// writeTimeout is how long a client may take to receive what is sent.
	writeTimeout = 10 * time.Second
)

// Locker is what the call needs of seatlock.Locker.
type Locker interface {
	LastChange(ctx context.Context, event string) (string, error)
	Kept(ctx context.Context, event, after string) error
	Changes(ctx context.Context, event, after string, wait time.Duration) ([]seatlock.Change, error)
	Settle(ctx context.Context, event string) (time.Duration, error)
}

// New returns the handler of GET /changes, whose streams end when stop is closed. A
// stream begins after the change that the header Last-Event-ID or the parameter
// last_event_id names, or now where neither does.
func New(locker Locker, stop <-chan struct{}) http.Handler {
	h := &hub{locker: locker, events: map[string]*follower{}}
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		event, query, err := api.DecodeQuery(r)
		if err != nil {
			return err
		}
		after := r.Header.Get("Last-Event-ID")
		if after == "" {
			after = query.Get("last_event_id")
		}
		if r.Method == http.MethodHead { // a stream has no end to wait for
			setHeader(w)
			return nil
		}
		s, unsubscribe, err := h.subscribe(r.Context(), event)
		if errors.Is(err, errTooManyEvents) {
			return api.NewProblem(api.CodeUnavailable, "Too many events are followed here; ask again later.")
		}
		if err != nil {
			return err
		}
		defer unsubscribe()
		missed, resumed, err := catchUp(r.Context(), locker, event, after, s.from)
		if err != nil {
			return err
		}
		stream := newStream(w, event, s.from)
		if resumed && after != "" {
			stream.last = after // the hub may be behind what the client knows already
		}
		stream.resume(missed, resumed)
		stream.follow(r.Context(), s.changes, stop)
		return nil
	})
}

// catchUp returns what a client has missed that knows the changes up to after, and
// whether that is all of it. Where after is empty it has missed nothing.
func catchUp(ctx context.Context, locker Locker, event, after, from string) ([]seatlock.Change, bool, error) {
	if after == "" {
		return nil, true, nil
	}
	switch err := locker.Kept(ctx, event, after); {
	case errors.Is(err, seatlock.ErrTrimmed), errors.Is(err, seatlock.ErrInvalid):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	last, err := locker.LastChange(ctx, event)
	if err != nil {
		return nil, false, err
	}
	if seatlock.CompareChanges(after, last) > 0 {
		return nil, false, nil // of another Redis, or of one that was emptied
	}
	missed, err := locker.Changes(ctx, event, after, 0)
	return missed, true, err
}

// stream writes changes to one client, each once and in order.
type stream struct {
	w     http.ResponseWriter
	event string
	last  string // the ID of the last change that was written, or need not be
	out   *http.ResponseController
}

func newStream(w http.ResponseWriter, event, from string) *stream {
	s := &stream{w: w, event: event, last: from, out: http.NewResponseController(w)}
	_ = s.out.SetReadDeadline(time.Time{}) // the server's is for requests that end
	setHeader(w)
	return s
}

func setHeader(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
}

// resume writes what the client has missed; or, where that is not known, a reset,
// after which it must load the seat map.
func (s *stream) resume(missed []seatlock.Change, known bool) {
	var b bytes.Buffer
	b.WriteString("retry: 1000\n\n")
	if !known {
		fmt.Fprintf(&b, "id: %s\nevent: reset\ndata: {}\n\n", s.last)
	}
	for _, c := range missed {
		s.append(&b, c)
		s.last = c.ID
	}
	_ = s.write(b.Bytes()) // follow meets the same error
}

// follow writes changes until the client, the hub or the process ends the stream.
func (s *stream) follow(ctx context.Context, batches <-chan []seatlock.Change, stop <-chan struct{}) {
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	for {
		var b bytes.Buffer
		select {
		case <-ctx.Done():
			return
		case <-stop:
			return
		case batch, ok := <-batches:
			if !ok {
				return
			}
			for _, c := range batch {
				if seatlock.CompareChanges(c.ID, s.last) > 0 {
					s.append(&b, c)
					s.last = c.ID
				}
			}
		case <-alive.C:
			b.WriteString(": alive\n\n")
		}
		if err := s.write(b.Bytes()); err != nil {
			return
		}
	}
}

func (s *stream) write(p []byte) error {
	_ = s.out.SetWriteDeadline(time.Now().Add(writeTimeout)) // a recorder in a test has none
	if _, err := s.w.Write(p); err != nil {
		return err
	}
	return s.out.Flush()
}

// change is the data of an event; its type is the event's name.
type change struct {
	EventID   string   `json:"event_id"`
	SeatIDs   []string `json:"seat_ids"`
	Status    string   `json:"status"`               // of the seats now
	ExpiresAt string   `json:"expires_at,omitempty"` // only while Reserved
}

// become is the state that each type of change leaves its seats in.
var become = map[seatlock.ChangeType]seatlock.Status{
	seatlock.ChangeHeld: seatlock.Reserved, seatlock.ChangeExtended: seatlock.Reserved, seatlock.ChangeSold: seatlock.Sold,
	seatlock.ChangeReleased: seatlock.Available, seatlock.ChangeExpired: seatlock.Available,
}

func (s *stream) append(b *bytes.Buffer, c seatlock.Change) {
	data := change{EventID: s.event, SeatIDs: c.SeatIDs, Status: become[c.Type].String()}
	if !c.Deadline.IsZero() {
		data.ExpiresAt = api.Time(c.Deadline)
	}
	encoded, err := json.Marshal(data)
	if err != nil {
		panic(err) // strings alone
	}
	fmt.Fprintf(b, "id: %s\nevent: %s\ndata: %s\n\n", c.ID, c.Type, encoded)
}
