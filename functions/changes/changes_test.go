package changes_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/functions/changes"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

const event = "gala"

type testBundle struct {
	locker  *countingLocker
	options changes.Options
	server  *httptest.Server
	stop    func()
}

// countingLocker counts calls. It blocks them until the gate closes if a gate is set.
type countingLocker struct {
	*seatlock.Locker
	pages    counter // Changes, by replays
	longest  atomic.Int64
	pageGate chan struct{}
}

// counter counts the calls in flight, their maximum, and all calls so far.
type counter struct{ inFlight, max, total atomic.Int64 }

func (c *counter) begin() {
	c.total.Add(1)
	now := c.inFlight.Add(1)
	for highest := c.max.Load(); now > highest && !c.max.CompareAndSwap(highest, now); highest = c.max.Load() {
	}
}

func (c *countingLocker) Changes(ctx context.Context, event, after string, limit int) ([]seatlock.Change, error) {
	c.pages.begin()
	defer c.pages.inFlight.Add(-1)
	if c.pageGate != nil {
		<-c.pageGate
	}
	found, err := c.Locker.Changes(ctx, event, after, limit)
	for longest := c.longest.Load(); int64(len(found)) > longest && !c.longest.CompareAndSwap(longest, int64(len(found))); longest = c.longest.Load() {
	}
	return found, err
}

func setup(t *testing.T, r *redistest.Redis) *testBundle {
	t.Helper()
	return setupClient(t, r.Client(t), 0)
}

func setupClient(t *testing.T, client *redis.Client, maxStreams int) *testBundle {
	t.Helper()
	stop := make(chan struct{})
	b := &testBundle{locker: &countingLocker{Locker: newLocker(t, client)}, stop: sync.OnceFunc(func() { close(stop) })}
	b.options = changes.Options{Stop: stop, MaxStreams: maxStreams}
	b.server = httptest.NewServer(b.newHandler())
	t.Cleanup(func() { b.stop(); b.server.Close() })
	return b
}

// newHandler returns a handler with b.options.
func (b *testBundle) newHandler() http.Handler {
	return changes.New(b.locker, catalog.New(b.locker, catalog.Options{}), hall.New(b.locker.Locker), b.options)
}

func newLocker(t *testing.T, client *redis.Client) *seatlock.Locker {
	t.Helper()
	locker, err := seatlock.New(client, seatlock.Options{HoldTime: time.Hour, MaxHoldTime: time.Hour, Timeout: time.Minute})
	require.NoError(t, err)
	return locker
}

// stream is an open response.
type stream struct {
	body  io.Closer
	lines *bufio.Scanner
}

func (b *testBundle) open(t *testing.T, lastEventID string) *stream {
	t.Helper()
	return b.openEvent(t, event, lastEventID)
}

func (b *testBundle) openEvent(t *testing.T, event, lastEventID string) *stream {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, b.server.URL+"/changes?event_id="+event, nil)
	require.NoError(t, err)
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	t.Cleanup(func() { _ = resp.Body.Close() })
	s := &stream{body: resp.Body, lines: bufio.NewScanner(resp.Body)}
	require.True(t, s.lines.Scan())
	require.Equal(t, "retry: 1000", s.lines.Text(), "the first line of the stream")
	return s
}

// next returns the id and the other lines of the next event, or empty strings at the end.
func (s *stream) next() (id, event string) {
	var lines []string
	for s.lines.Scan() {
		switch line := s.lines.Text(); {
		case line == "" && len(lines) > 0:
			return id, strings.Join(lines, " ")
		case strings.HasPrefix(line, "id: "):
			id = strings.TrimPrefix(line, "id: ")
		case line != "" && !strings.HasPrefix(line, ":"): // a comment keeps a slow test's response alive
			lines = append(lines, line)
		}
	}
	return "", ""
}

func (b *testBundle) reserve(t *testing.T, seats ...string) {
	t.Helper()
	_, err := b.locker.Reserve(t.Context(), event, seats, "ann")
	require.NoError(t, err)
}

func TestChanges_EmitsEveryTransition(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		s := b.open(t, "")
		b.reserve(t, "1A", "1B")
		_, held := s.next()
		require.Regexp(t, `^event: held data: \{"event_id":"gala","seat_ids":\["1A","1B"\],"status":"Reserved","expires_at":"[^"]+Z"\}$`, held)
		require.NotContains(t, held, "ann")
		require.NoError(t, b.locker.Buy(t.Context(), event, []string{"1A"}, "ann"))
		_, sold := s.next()
		require.Equal(t, `event: sold data: {"event_id":"gala","seat_ids":["1A"],"status":"Sold"}`, sold)
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1B"}, "ann"))
		_, released := s.next()
		require.Equal(t, `event: released data: {"event_id":"gala","seat_ids":["1B"],"status":"Available"}`, released)
	})
}

func TestChanges_EmitsExpired(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	b := setup(t, r)
	short, err := seatlock.New(r.Client(t), seatlock.Options{HoldTime: 100 * time.Millisecond, Timeout: time.Minute})
	require.NoError(t, err)
	s := b.open(t, "")
	_, err = short.Reserve(t.Context(), event, []string{"1A"}, "ann")
	require.NoError(t, err)
	s.next()
	_, expired := s.next()
	require.Equal(t, `event: expired data: {"event_id":"gala","seat_ids":["1A"],"status":"Available"}`, expired)
}

func TestChanges_ResumesAfterLastEventID(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		s := b.open(t, "")
		b.reserve(t, "1A")
		id, _ := s.next()
		require.NoError(t, s.body.Close())
		b.reserve(t, "1B")
		b.reserve(t, "1C")

		s = b.open(t, id)
		b.reserve(t, "1D")
		for _, seat := range []string{"1B", "1C", "1D"} {
			_, received := s.next()
			require.Contains(t, received, `["`+seat+`"]`)
		}
		for _, unknown := range []string{"garbage", "9999999999999-0"} {
			s = b.open(t, unknown)
			id, received := s.next()
			require.Equal(t, "event: reset data: {}", received)
			require.NotEqual(t, unknown, id)
		}
	})
}

// A client may come from a process that is ahead of this one, even by more than a page.
func TestChanges_RepeatsNothingAfterResume(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 300} {
		r := redistest.Mini(t)
		b := setup(t, r)
		behind := b.open(t, "")
		fill(t, r, n)
		found, err := b.locker.Map(t.Context(), event)
		require.NoError(t, err)
		ahead := b.open(t, found.Change)
		for i := range n {
			_, received := behind.next()
			require.Contains(t, received, fmt.Sprintf(`["%d"]`, i+1))
		}
		b.reserve(t, "1B")
		for _, s := range []*stream{ahead, behind} {
			_, received := s.next()
			require.Contains(t, received, `["1B"]`)
		}
	}
}

// The feed of an event has its last changes: a client that reconnects costs no read of Redis.
func TestChanges_ResumesFromMemory(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		s := b.open(t, "")
		b.reserve(t, "1A")
		id, _ := s.next()
		b.reserve(t, "1B")
		b.reserve(t, "1C")
		s.requireNext(t, "1B")
		s.requireNext(t, "1C")
		resumed := b.open(t, id)
		resumed.requireNext(t, "1B")
		resumed.requireNext(t, "1C")
		b.reserve(t, "1D")
		resumed.requireNext(t, "1D")
		require.Zero(t, b.locker.pages.total.Load())
	})
}

// The first change after silence is sent at once, and those of the interval after it together.
func TestChanges_SendsOneFrameAnInterval(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	b.options.Interval = time.Second
	handler := b.newHandler()
	w := &countingWriter{header: http.Header{}}
	var open sync.WaitGroup
	open.Go(func() { handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/changes?event_id="+event, nil)) })
	require.Eventually(t, func() bool { return w.writes.Load() == 1 }, redistest.WaitLimit, time.Millisecond)
	for i := range 20 {
		b.reserve(t, fmt.Sprint(i))
	}
	require.Eventually(t, func() bool { return w.events.Load() == 20 }, redistest.WaitLimit, time.Millisecond)
	require.LessOrEqual(t, w.writes.Load(), int64(10), "the head, and a few frames")
	b.stop()
	open.Wait()
}

func TestChanges_BeginsAtZero(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, "1A")
		for _, beginning := range []string{"0", "0-0"} {
			b.open(t, beginning).requireNext(t, "1A")
		}
	})
}

func TestChanges_EndsHEAD(t *testing.T) {
	t.Parallel()
	resp, err := http.Head(setup(t, redistest.Mini(t)).server.URL + "/changes")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
}

func TestChanges_SharesOneReadAmongSubscribers(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Server(t))
	handler := b.newHandler()
	subscribers := make([]*countingWriter, 5000)
	var all sync.WaitGroup
	for i := range subscribers {
		subscribers[i] = &countingWriter{header: http.Header{}}
		all.Go(func() {
			handler.ServeHTTP(subscribers[i], httptest.NewRequest(http.MethodGet, "/changes?event_id="+event, nil))
		})
	}
	allReceived := func(writes int64) func() bool {
		return func() bool {
			return !slices.ContainsFunc(subscribers, func(w *countingWriter) bool { return w.writes.Load() < writes })
		}
	}
	require.Eventually(t, allReceived(1), redistest.WaitLimit, time.Millisecond, "not all responses begin")
	b.reserve(t, "1A")
	require.Eventually(t, allReceived(2), redistest.WaitLimit, time.Millisecond, "not all subscribers receive the change")
	require.Zero(t, b.locker.pages.total.Load(), "no stream reads Redis")
	b.stop()
	all.Wait()
}

// countingWriter counts the writes to one subscriber.
type countingWriter struct {
	header         http.Header
	writes, events atomic.Int64
}

func (w *countingWriter) Header() http.Header { return w.header }
func (w *countingWriter) WriteHeader(int)     {}
func (w *countingWriter) Flush()              {}
func (w *countingWriter) Write(p []byte) (int, error) {
	w.writes.Add(1)
	w.events.Add(int64(strings.Count(string(p), "event: ")))
	return len(p), nil
}

func TestChanges_EndsOnDrain(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	s := b.open(t, "")
	b.stop()
	id, received := s.next()
	require.Empty(t, id+received)
}

// A client that doesn't read is dropped, and delays no other.
func TestChanges_DropsSlowSubscriber(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	b := setup(t, r)
	blocked := &slowWriter{header: http.Header{}, release: make(chan struct{})}
	done := make(chan struct{})
	handler := b.newHandler()
	b.server.Config.Handler = handler
	go func() {
		defer close(done)
		handler.ServeHTTP(blocked, httptest.NewRequest(http.MethodGet, "/changes?event_id="+event, nil))
	}()
	require.Eventually(t, func() bool { return blocked.writes.Load() == 1 }, redistest.WaitLimit, time.Millisecond)
	quick := b.open(t, "")
	for i := range 200 {
		r.Advance(t, 20*time.Millisecond) // Redis announces a change after silence
		b.reserve(t, fmt.Sprint(i))
		_, received := quick.next()
		require.Contains(t, received, fmt.Sprintf(`["%d"]`, i))
	}
	close(blocked.release)
	<-done
	require.Less(t, blocked.writes.Load(), int64(100))
}

// slowWriter accepts the first write. The others block until release closes.
type slowWriter struct {
	header  http.Header
	writes  atomic.Int64
	release chan struct{}
}

func (w *slowWriter) Header() http.Header { return w.header }
func (w *slowWriter) WriteHeader(int)     {}
func (w *slowWriter) Flush()              {}
func (w *slowWriter) Write(p []byte) (int, error) {
	if w.writes.Add(1) > 1 {
		<-w.release
	}
	return len(p), nil
}

func TestChanges_RejectsInvalidQuery(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	for target, status := range map[string]int{
		"/changes?event_id=%20": http.StatusUnprocessableEntity,
		"/changes?event_id=%7":  http.StatusUnprocessableEntity,
	} {
		resp, err := http.Get(b.server.URL + target)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, status, resp.StatusCode)
	}
}
