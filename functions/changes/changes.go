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
	"math"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"

	"booking/functions/internal/api"
	"booking/seatlock"
)

const (
	// heartbeat is how often a silent stream shows that it is alive.
	heartbeat = 15 * time.Second
	// writeTimeout is how long a client may take to receive what is sent.
	writeTimeout = 10 * time.Second
	// pageSize is how many changes a stream that catches up reads at a time.
	pageSize = 200
	// maxReading is how many streams read a page at a time: with pageSize it bounds
	// the memory of any number that catch up.
	maxReading = 8
)

// errEnded means that the process stops, that the client has not kept up, or that its
// event gave way to another.
var errEnded = errors.New("changes: the stream was ended")

// Locker is what the call needs of seatlock.Locker.
type Locker interface {
	LastChange(ctx context.Context, event string) (string, error)
	Changes(ctx context.Context, event, after string, limit int) ([]seatlock.Change, error)
	AwaitChange(ctx context.Context, event, after string, wait time.Duration) error
	RecordExpired(ctx context.Context, event string) (time.Duration, error)
}

// Options of the handler; the zero value is ready for use.
type Options struct {
	Stop       <-chan struct{} // ends all streams when it is closed
	MaxStreams int             // how many there may be at a time; any number if 0
}

// New returns the handler of GET /changes. A stream begins after the change that the
// header Last-Event-ID or the parameter last_event_id names, or now if neither does.
func New(locker Locker, opt Options) http.Handler {
	if opt.MaxStreams == 0 {
		opt.MaxStreams = math.MaxInt
	}
	streams := semaphore.NewWeighted(int64(opt.MaxStreams))
	h, turns := newHub(locker), semaphore.NewWeighted(maxReading)
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
		if !streams.TryAcquire(1) {
			w.Header().Set("Connection", "close") // an idle connection would take a place of MAX_CONNECTIONS
			return api.NewProblem(api.CodeUnavailable, fmt.Sprintf("Too many streams of changes are open here (limit %d). Ask again later.", opt.MaxStreams))
		}
		defer streams.Release(1)
		last, err := locker.LastChange(r.Context(), event)
		if err != nil {
			return err
		}
		s := &stream{w: w, out: http.NewResponseController(w), locker: locker, turns: turns, event: event, last: last}
		_ = s.out.SetReadDeadline(time.Time{}) // the server's is for requests that end
		api.WatchClient(w, r)
		setHeader(w)
		_ = s.serve(r.Context(), h, after, opt.Stop) // the status is sent: the stream ends, and its client resumes
		return nil
	})
}

// stream writes changes to one client, each once and in order.
type stream struct {
	w      http.ResponseWriter
	out    *http.ResponseController
	locker Locker
	turns  *semaphore.Weighted // to read a page
	event  string
	last   string // the position after what was written
}

func setHeader(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
}

// serve writes changes until the client, the hub or the process ends the stream. It
// subscribes to the hub only when it has caught up: it would not keep up before.
func (s *stream) serve(ctx context.Context, h *hub, after string, stop <-chan struct{}) error {
	if err := s.write([]byte("retry: 1000\n\n")); err != nil {
		return err
	}
	if after != "" {
		s.last = after
		if err := s.catchUp(ctx, stop); err != nil {
			return err
		}
	}
	sub, unsubscribe := h.subscribe(s.event, s.last)
	defer unsubscribe()
	// There may have been changes since, and the hub may be at another position.
	if err := s.catchUp(ctx, stop); err != nil {
		return err
	}
	return s.follow(ctx, sub.batches, stop)
}

// catchUp writes what follows s.last, page by page; or a reset if that can't be read.
func (s *stream) catchUp(ctx context.Context, stop <-chan struct{}) error {
	for more := true; more; {
		select {
		case <-stop:
			return errEnded
		default:
		}
		var page []byte
		var err error
		if page, more, err = s.nextPage(ctx); err != nil {
			return err
		}
		if len(page) == 0 {
			continue
		}
		if err := s.write(page); err != nil {
			return err
		}
	}
	return nil
}

// nextPage returns the next page, encoded, and whether there may be more. It takes a
// turn, but not to write: a slow client holds up no other.
func (s *stream) nextPage(ctx context.Context) (page []byte, more bool, err error) {
	if err := s.turns.Acquire(ctx, 1); err != nil {
		return nil, false, err
	}
	defer s.turns.Release(1)
	found, err := s.locker.Changes(ctx, s.event, s.last, pageSize)
	if errors.Is(err, seatlock.ErrReset) {
		if s.last, err = s.locker.LastChange(ctx, s.event); err != nil {
			return nil, false, err
		}
		return fmt.Appendf(nil, "id: %s\nevent: reset\ndata: {}\n\n", s.last), false, nil
	}
	return s.encode(found), len(found) == pageSize, err
}

// follow writes the hub's batches. One that does not go on from s.last may come from
// before the stream caught up, or from another Redis: the stream asks Redis again.
func (s *stream) follow(ctx context.Context, batches <-chan batch, stop <-chan struct{}) error {
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	for {
		var out []byte
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-stop:
			return errEnded
		case b, open := <-batches:
			if !open {
				return errEnded
			}
			found, known := b.after(s.last)
			if !known {
				for len(batches) > 0 { // which are older than what Redis has now
					<-batches
				}
				if err := s.catchUp(ctx, stop); err != nil {
					return err
				}
				continue
			}
			if out = s.encode(found); len(out) == 0 {
				continue
			}
		case <-alive.C:
			out = []byte(": alive\n\n")
		}
		if err := s.write(out); err != nil {
			return err
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

// encode returns changes as events, and makes the last of them the stream's position.
func (s *stream) encode(changes []seatlock.Change) []byte {
	var b bytes.Buffer
	for _, c := range changes {
		data := change{EventID: s.event, SeatIDs: c.SeatIDs, Status: become[c.Type].String()}
		if !c.Deadline.IsZero() {
			data.ExpiresAt = api.Time(c.Deadline)
		}
		encoded, err := json.Marshal(data)
		if err != nil {
			panic(err) // strings alone
		}
		fmt.Fprintf(&b, "id: %s\nevent: %s\ndata: %s\n\n", c.ID, c.Type, encoded)
		s.last = c.ID
	}
	return b.Bytes()
}
