// Package changes serves GET /changes. It sends every change of an event's seats as it
// happens, as server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
package changes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/sync/semaphore"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/seatlock"
)

const (
	// pageSize is how many changes a replay reads at a time.
	pageSize = 200
	// maxPageReads is how many streams read a page at the same time. With pageSize it bounds
	// the memory of all replays.
	maxPageReads = 8
	// joinTimeout is how long a stream waits for the feed to reach its position. Then it reads
	// from Redis again: Redis may have lost that position.
	joinTimeout = time.Second
)

// errClosed means that the process stops.
var errClosed = errors.New("changes: the process stops")

// Locker is the part of seatlock.Locker that the handler uses.
type Locker interface {
	Changes(ctx context.Context, event, after string, limit int) ([]seatlock.Change, error)
}

// Options configures the handler. The zero value is ready for use.
type Options struct {
	Stop       <-chan struct{} // closing it ends all streams; nil if nothing does
	MaxStreams int             // limit of open streams; 0 means no limit
	Interval   time.Duration   // between frames; 0 sends every change at once
	OnStream   func(delta int) // called with 1 when a stream opens, with -1 when it ends; may be nil
}

// handler opens streams.
type handler struct {
	locker    Locker
	catalog   *catalog.Catalog
	opt       Options
	open      *semaphore.Weighted
	pageReads *semaphore.Weighted
	feeds     *feeds
}

// New returns the handler of GET /changes. A response begins after the change that the
// header Last-Event-ID or the parameter last_event_id names, or now if both are unset.
func New(locker Locker, c *catalog.Catalog, halls *hall.Halls, opt Options) http.Handler {
	if opt.MaxStreams == 0 {
		opt.MaxStreams = math.MaxInt
	}
	if opt.OnStream == nil {
		opt.OnStream = func(int) {}
	}
	h := &handler{
		locker: locker, catalog: c, opt: opt, open: semaphore.NewWeighted(int64(opt.MaxStreams)), pageReads: semaphore.NewWeighted(maxPageReads),
		feeds: &feeds{halls: halls, interval: opt.Interval, events: map[string]*feed{}},
	}
	if opt.Stop != nil {
		go func() {
			<-opt.Stop
			h.feeds.close()
		}()
	}
	return api.Handler(http.MethodGet, h.serve)
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) error {
	event, query, err := api.DecodeQuery(r, "last_event_id")
	if err != nil {
		return err
	}
	if err := h.catalog.Check(r.Context(), event); err != nil {
		return err
	}
	position := r.Header.Get("Last-Event-ID")
	if position == "" {
		position = query.Get("last_event_id")
	}
	if r.Method == http.MethodHead { // the response to GET would not end
		setHeader(w)
		return nil
	}
	if !h.open.TryAcquire(1) {
		w.Header().Set("Connection", "close") // an idle connection would count against MAX_CONNECTIONS
		return api.NewProblem(api.CodeUnavailable, fmt.Sprintf("Too many streams of /changes are open here (limit %d). Retry later.", h.opt.MaxStreams))
	}
	f, now, err := h.begin(r.Context(), event)
	if err != nil {
		h.open.Release(1)
		return err
	}
	switch position {
	case "":
		position = now
	case "0":
		position = seatlock.NoChange
	}
	h.opt.OnStream(1)
	s := &stream{done: make(chan struct{})}
	s.ended = func() {
		f.leave(s)
		h.feeds.release(f)
		h.opt.OnStream(-1)
		h.open.Release(1)
	}
	setHeader(w)
	takenOver := s.open(w)
	err = s.write(s.head(w.Header()))
	if err == nil {
		err = h.join(r.Context(), f, s, position)
	}
	if err != nil {
		s.close() // the status is sent: the client can only reconnect
	}
	if !takenOver {
		select {
		case <-r.Context().Done():
			s.close()
		case <-s.done:
		}
	}
	return nil
}

// begin returns the feed of an event and its position now.
func (h *handler) begin(ctx context.Context, event string) (*feed, string, error) {
	f, err := h.feeds.acquire(ctx, event)
	if errors.Is(err, errClosed) {
		return nil, "", api.NewProblem(api.CodeDraining, "The process is shutting down.")
	}
	if err != nil {
		return nil, "", err
	}
	now, err := f.follower.Position(ctx)
	if err != nil {
		h.feeds.release(f)
		return nil, "", err
	}
	return f, now, nil
}

func setHeader(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
}

// open begins the response. It takes the connection over from net/http if that is possible: so
// a stream costs neither a goroutine nor a buffer. It reports whether it has.
func (s *stream) open(w http.ResponseWriter) bool {
	out := http.NewResponseController(w)
	conn, _, err := out.Hijack()
	if err != nil {
		_ = out.SetReadDeadline(time.Time{}) // the server's deadline is for requests that end
		s.conn = &responseConn{w: w, out: out}
		return false
	}
	_ = conn.SetDeadline(time.Time{})
	s.conn = conn
	if c, ok := conn.(syscall.Conn); ok && nonBlocking {
		s.raw, _ = c.SyscallConn() // nil if it fails
	}
	if s.raw == nil {
		go s.detectHangUp(conn)
	}
	return true
}

// head returns the beginning of the response. net/http writes the header unless the
// connection was taken over.
func (s *stream) head(header http.Header) []byte {
	var b bytes.Buffer
	if _, ok := s.conn.(net.Conn); ok {
		header.Set("Connection", "close")
		header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
		b.WriteString("HTTP/1.1 200 OK\r\n")
		_ = header.Write(&b) // a Buffer never fails
		b.WriteString("\r\n")
	}
	b.WriteString("retry: 1000\n\n")
	return b.Bytes()
}

// join replays the changes after a position, from Redis unless the feed has them, and then
// joins the feed.
func (h *handler) join(ctx context.Context, f *feed, s *stream, position string) error {
	for {
		select {
		case <-h.opt.Stop:
			return errClosed
		case <-s.done:
			return net.ErrClosed
		default:
		}
		joined, ahead, sent := f.join(s, position)
		if joined {
			select {
			case <-h.opt.Stop: // feeds.close may have missed the stream
				return errClosed
			default:
				return nil
			}
		}
		if ahead {
			select {
			case <-sent:
				continue
			case <-time.After(joinTimeout):
			}
		}
		page, last, err := h.readPage(ctx, f, position)
		if err != nil {
			return err
		}
		position = last
		if len(page) == 0 && !ahead { // the feed is at a position that Redis has lost
			select {
			case <-sent:
			case <-time.After(joinTimeout):
			}
			continue
		}
		if err := s.write(page); err != nil {
			return err
		}
	}
}

// readPage returns the next page after a position, encoded, and the position of its last
// change. It releases pageReads before the page is written: a slow client must not block the
// others.
func (h *handler) readPage(ctx context.Context, f *feed, position string) (page []byte, last string, err error) {
	if err := h.pageReads.Acquire(ctx, 1); err != nil {
		return nil, "", err
	}
	defer h.pageReads.Release(1)
	changes, err := h.locker.Changes(ctx, f.event, position, pageSize)
	switch {
	case errors.Is(err, seatlock.ErrReset):
		now, err := f.follower.Position(ctx)
		return resetFrame(now), now, err
	case err != nil || len(changes) == 0:
		return nil, position, err
	}
	return encode(f.event, changes), changes[len(changes)-1].ID, nil
}
