package changes_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/changes"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/seatlock"
)

// source is a hall.Source of one event, in a bubble whose clock moves only if the test sleeps.
type source struct {
	messages chan string

	mu      sync.Mutex
	changes []seatlock.Change // since the last refresh
	last    string
}

func newSource() *source { return &source{messages: make(chan string), last: "7-1"} }

func (s *source) NewView(string) (hall.View, error)                 { return s, nil }
func (s *source) Subscribe() hall.Subscription                      { return s }
func (s *source) Events() <-chan string                             { return s.messages }
func (s *source) Add(context.Context, string) error                 { return nil }
func (s *source) Remove(context.Context, string) error              { return nil }
func (s *source) At() time.Time                                     { return time.Now() }
func (s *source) Len() int                                          { return 0 }
func (s *source) Lapsed() int                                       { return 0 }
func (s *source) Seats() iter.Seq[seatlock.Seat]                    { return func(func(seatlock.Seat) bool) {} }
func (s *source) IsFree(string) bool                                { return true }
func (s *source) SeatsOf(context.Context, string) ([]string, error) { return nil, nil }

func (s *source) Position() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (s *source) Refresh(context.Context) (seatlock.Update, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	update := seatlock.Update{Changes: s.changes, NextExpiry: -1}
	s.changes = nil
	return update, nil
}

// sell appends a change. Redis announces it if announced is true.
func (s *source) sell(id string, announced bool) {
	s.mu.Lock()
	s.changes, s.last = append(s.changes, seatlock.Change{ID: id, Type: seatlock.ChangeSold, SeatIDs: []string{id}}), id
	s.mu.Unlock()
	if announced {
		s.messages <- event
	}
}

// recorder keeps what a stream writes until take.
type recorder struct {
	header http.Header
	mu     sync.Mutex
	body   strings.Builder
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(int)     {}
func (r *recorder) Flush()              {}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.body.Write(p)
}

func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.body.Reset()
	return r.body.String()
}

// inBubble runs test with an open stream. received returns what the stream sent since the last
// call of received.
func inBubble(t *testing.T, opt changes.Options, test func(t *testing.T, s *source, received func() string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, stop := newSource(), make(chan struct{})
		opt.Stop = stop
		handler := changes.New(nil, catalog.New(nil, catalog.Options{}), hall.NewFrom(s), opt)
		rec := &recorder{header: http.Header{}}
		go handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/changes?event_id="+event, nil))
		received := func() string {
			synctest.Wait()
			return rec.take()
		}
		require.Equal(t, "retry: 1000\n\n", received())
		test(t, s, received)
		close(stop)
		close(s.messages)
		time.Sleep(time.Hour) // ends the timers of the bubble
	})
}

// A proxy may close a connection that is silent for a minute.
func TestChanges_SendsCommentDuringSilence(t *testing.T) {
	t.Parallel()
	inBubble(t, changes.Options{}, func(t *testing.T, s *source, received func() string) {
		time.Sleep(14 * time.Second)
		require.Empty(t, received())
		for range 3 {
			time.Sleep(2 * time.Second) // a feed looks at the time once a second
			require.Equal(t, ": alive\n\n", received())
			time.Sleep(12 * time.Second)
			require.Empty(t, received())
			time.Sleep(time.Second)
		}
		received()
		s.sell("7-2", true)
		require.Contains(t, received(), "event: sold")
		time.Sleep(14 * time.Second)
		require.Empty(t, received(), "the change was a sign of life")
	})
}

func TestChanges_SendsFirstChangeAtOnceAndOthersTogether(t *testing.T) {
	t.Parallel()
	inBubble(t, changes.Options{Interval: time.Second}, func(t *testing.T, s *source, received func() string) {
		time.Sleep(10 * time.Second)
		s.sell("7-2", true)
		require.Contains(t, received(), "id: 7-2\n")
		s.sell("7-3", true)
		time.Sleep(500 * time.Millisecond)
		s.sell("7-4", false)
		time.Sleep(500*time.Millisecond - time.Nanosecond)
		require.Empty(t, received(), "the interval has not passed")
		time.Sleep(time.Nanosecond)
		frame := received()
		require.Equal(t, 2, strings.Count(frame, "event: sold"), frame)
	})
}

// Redis announces only the first change after silence. A message may be lost, too.
func TestChanges_SendsChangesThatRedisDidNotAnnounce(t *testing.T) {
	t.Parallel()
	for interval, within := range map[time.Duration]time.Duration{0: 20 * time.Millisecond, 100 * time.Millisecond: 100 * time.Millisecond} {
		inBubble(t, changes.Options{Interval: interval}, func(t *testing.T, s *source, received func() string) {
			time.Sleep(10 * time.Second)
			s.sell("7-2", true)
			require.Contains(t, received(), "id: 7-2\n")
			for _, id := range []string{"7-3", "7-4"} {
				s.sell(id, false)
				time.Sleep(within)
				require.Contains(t, received(), "id: "+id+"\n", interval)
			}
			time.Sleep(10 * time.Second)
			s.sell("7-5", false)
			time.Sleep(time.Second)
			require.Contains(t, received(), "id: 7-5\n")
		})
	}
}
