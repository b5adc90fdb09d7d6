// Package changes serves GET /changes. It sends every change of an event's seats as it
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
	// heartbeat is the interval of the comments that keep a silent response alive.
	heartbeat = 15 * time.Second
	// writeTimeout is the deadline of one write to a client.
	writeTimeout = 10 * time.Second
	// pageSize is how many changes a replay reads at a time.
	pageSize = 200
	// maxPageReads is how many subscribers read a page at the same time. With pageSize
	// it bounds the memory of all replays.
	maxPageReads = 8
)

// errClosed means that the process stops, that the client is too slow, or that its event
// was evicted.
var errClosed = errors.New("changes: subscriber closed")

// Locker is the part of seatlock.Locker that the handler uses.
type Locker interface {
	LastChange(ctx context.Context, event string) (string, error)
	Changes(ctx context.Context, event, after string, limit int) ([]seatlock.Change, error)
	AwaitChange(ctx context.Context, event, after string, wait time.Duration) error
	RecordExpired(ctx context.Context, event string) (time.Duration, error)
}

// Options configures the handler. The zero value is ready for use.
type Options struct {
	Stop       <-chan struct{} // closing it ends all responses; nil if nothing does
	MaxStreams int             // limit of open responses; 0 means no limit
}

// New returns the handler of GET /changes. A response begins after the change that the
// header Last-Event-ID or the parameter last_event_id names, or now if both are unset.
func New(locker Locker, opt Options) http.Handler {
	if opt.MaxStreams == 0 {
		opt.MaxStreams = math.MaxInt
	}
	open := semaphore.NewWeighted(int64(opt.MaxStreams))
	b, pageReads := newBroker(locker), semaphore.NewWeighted(maxPageReads)
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		event, query, err := api.DecodeQuery(r)
		if err != nil {
			return err
		}
		after := r.Header.Get("Last-Event-ID")
		if after == "" {
			after = query.Get("last_event_id")
		}
		if r.Method == http.MethodHead { // the response to GET would not end
			setHeader(w)
			return nil
		}
		if !open.TryAcquire(1) {
			w.Header().Set("Connection", "close") // an idle connection would count against MAX_CONNECTIONS
			return api.NewProblem(api.CodeUnavailable, fmt.Sprintf("Too many streams of /changes are open here (limit %d). Retry later.", opt.MaxStreams))
		}
		defer open.Release(1)
		last, err := locker.LastChange(r.Context(), event)
		if err != nil {
			return err
		}
		s := &subscriber{w: w, out: http.NewResponseController(w), locker: locker, pageReads: pageReads, event: event, last: last}
		_ = s.out.SetReadDeadline(time.Time{}) // the server's deadline is for requests that end
		api.WatchClient(w, r)
		setHeader(w)
		_ = s.serve(r.Context(), b, after, opt.Stop) // the status is sent: the client can only reconnect
		return nil
	})
}

func setHeader(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
}

// subscriber writes changes to one client, each once and in order.
type subscriber struct {
	w         http.ResponseWriter
	out       *http.ResponseController
	locker    Locker
	pageReads *semaphore.Weighted
	event     string
	last      string // id of the last change that was written
}

// serve writes changes until the client, the broker or the process ends the response. It
// replays before it subscribes, because a subscription drops a client that falls behind.
func (s *subscriber) serve(ctx context.Context, b *broker, after string, stop <-chan struct{}) error {
	if err := s.write([]byte("retry: 1000\n\n")); err != nil {
		return err
	}
	if after != "" {
		s.last = after
		if err := s.replay(ctx, stop); err != nil {
			return err
		}
	}
	sub, unsubscribe := b.subscribe(s.event, s.last)
	defer unsubscribe()
	// Changes may have come before the subscription, and the reader may be at another position.
	if err := s.replay(ctx, stop); err != nil {
		return err
	}
	return s.forward(ctx, sub.segments, stop)
}

// replay reads the changes after s.last from Redis and writes them, page by page. It
// writes a reset if Redis no longer has that position.
func (s *subscriber) replay(ctx context.Context, stop <-chan struct{}) error {
	for more := true; more; {
		select {
		case <-stop:
			return errClosed
		default:
		}
		var page []byte
		var err error
		if page, more, err = s.readPage(ctx); err != nil {
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

// readPage returns the next page, encoded, and whether there may be more. It releases
// pageReads before the page is written: a slow client must not block the others.
func (s *subscriber) readPage(ctx context.Context) (page []byte, more bool, err error) {
	if err := s.pageReads.Acquire(ctx, 1); err != nil {
		return nil, false, err
	}
	defer s.pageReads.Release(1)
	changes, err := s.locker.Changes(ctx, s.event, s.last, pageSize)
	if errors.Is(err, seatlock.ErrReset) {
		if s.last, err = s.locker.LastChange(ctx, s.event); err != nil {
			return nil, false, err
		}
		return fmt.Appendf(nil, "id: %s\nevent: reset\ndata: {}\n\n", s.last), false, nil
	}
	return s.encode(changes), len(changes) == pageSize, err
}

// forward writes the segments of the subscription. It replays if a segment doesn't
// continue s.last: the segment may be older than the last replay, or Redis was replaced.
func (s *subscriber) forward(ctx context.Context, segments <-chan segment, stop <-chan struct{}) error {
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	for {
		var out []byte
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-stop:
			return errClosed
		case seg, ok := <-segments:
			if !ok {
				return errClosed
			}
			changes, ok := seg.after(s.last)
			if !ok {
				for len(segments) > 0 { // the replay reads newer changes than these
					<-segments
				}
				if err := s.replay(ctx, stop); err != nil {
					return err
				}
				continue
			}
			if out = s.encode(changes); len(out) == 0 {
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

func (s *subscriber) write(p []byte) error {
	_ = s.out.SetWriteDeadline(time.Now().Add(writeTimeout)) // fails on a test's ResponseRecorder
	if _, err := s.w.Write(p); err != nil {
		return err
	}
	return s.out.Flush()
}

// change is the data of an event. The name of the event is the type of the change.
type change struct {
	EventID   string   `json:"event_id"`
	SeatIDs   []string `json:"seat_ids"`
	Status    string   `json:"status"`               // of the seats after the change
	ExpiresAt string   `json:"expires_at,omitempty"` // only if Status is Reserved
}

// statusAfter is the status of the seats after each type of change.
var statusAfter = map[seatlock.ChangeType]seatlock.Status{
	seatlock.ChangeHeld: seatlock.Reserved, seatlock.ChangeExtended: seatlock.Reserved, seatlock.ChangeSold: seatlock.Sold,
	seatlock.ChangeReleased: seatlock.Available, seatlock.ChangeExpired: seatlock.Available,
}

// encode returns changes as events. It moves s.last to the last of them.
func (s *subscriber) encode(changes []seatlock.Change) []byte {
	var b bytes.Buffer
	for _, c := range changes {
		data := change{EventID: s.event, SeatIDs: c.SeatIDs, Status: statusAfter[c.Type].String()}
		if !c.Deadline.IsZero() {
			data.ExpiresAt = api.Time(c.Deadline)
		}
		encoded, err := json.Marshal(data)
		if err != nil {
			panic(err) // unreachable: change has only strings
		}
		fmt.Fprintf(&b, "id: %s\nevent: %s\ndata: %s\n\n", c.ID, c.Type, encoded)
		s.last = c.ID
	}
	return b.Bytes()
}
