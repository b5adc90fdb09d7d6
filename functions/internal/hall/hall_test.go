package hall_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/hall"
	"booking/seatlock"
)

// source is a Source whose views take 10 ms for a refresh.
type source struct {
	mu            sync.Mutex
	refreshes     int
	err           error
	update        seatlock.Update // of the next refresh
	seats         int             // of each view
	subscribed    []string
	subscriptions chan string
}

type view struct{ *source }

func newSource() *source { return &source{subscriptions: make(chan string)} }

func (s *source) NewView(string) (hall.View, error) { return view{s}, nil }
func (s *source) Subscribe() hall.Subscription      { return s }
func (s *source) Events() <-chan string             { return s.subscriptions }

func (s *source) Add(_ context.Context, event string) error {
	s.subscribed = append(s.subscribed, "+"+event)
	return nil
}

func (s *source) Remove(_ context.Context, event string) error {
	s.subscribed = append(s.subscribed, "-"+event)
	return nil
}

func (v view) Refresh(ctx context.Context) (seatlock.Update, error) {
	time.Sleep(10 * time.Millisecond) // of the bubble's clock: other readers arrive
	v.mu.Lock()
	defer v.mu.Unlock()
	v.refreshes++
	update := v.update
	v.update = seatlock.Update{NextExpiry: -1}
	return update, errors.Join(v.err, ctx.Err())
}

func (v view) At() time.Time    { return time.UnixMilli(1_700_000_000_000).UTC() }
func (v view) Position() string { return fmt.Sprintf("7-%d", v.refreshes) }
func (v view) Len() int         { return v.seats }
func (v view) Lapsed() int      { return 0 }

func (v view) Seats() iter.Seq[seatlock.Seat] {
	return func(yield func(seatlock.Seat) bool) {
		_ = yield(seatlock.Seat{ID: "1A", Status: seatlock.Reserved, ExpiresIn: time.Minute}) && yield(seatlock.Seat{ID: "1B", Status: seatlock.Sold})
	}
}

func (v view) IsFree(id string) bool { return id != "1A" && id != "1B" }

func (v view) SeatsOf(ctx context.Context, user string) ([]string, error) {
	return []string{user + fmt.Sprint(v.refreshes)}, ctx.Err()
}

const maxAge = 250 * time.Millisecond

func unknown(string) bool { return false }

func get(t *testing.T, halls *hall.Halls, event string) *hall.Hall {
	t.Helper()
	h, err := halls.Hall(event)
	require.NoError(t, err)
	return h
}

func TestSeatMap_SharesSnapshotForMaxAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		h := get(t, hall.NewFrom(s), "gala")
		for range 100 {
			go func() { _, _ = h.SeatMap(context.Background(), maxAge, unknown) }()
		}
		time.Sleep(250 * time.Millisecond)
		snapshot, err := h.SeatMap(t.Context(), maxAge, unknown)
		require.NoError(t, err)
		require.Equal(t, maxAge, time.Since(snapshot.Taken))
		require.Equal(t, 1, s.refreshes)
		require.JSONEq(t, `{"event_id":"gala","as_of":"2023-11-14T22:13:20.000Z","last_event_id":"7-1","seats":[`+
			`{"seat_id":"1A","status":"Reserved","expires_in_ms":60000},{"seat_id":"1B","status":"Sold"}]}`, string(snapshot.Body()))
		time.Sleep(time.Millisecond)
		snapshot, err = h.SeatMap(t.Context(), maxAge, unknown)
		require.NoError(t, err)
		require.Equal(t, 10*time.Millisecond, time.Since(snapshot.Taken))
		require.Equal(t, 2, s.refreshes)
		snapshot, err = h.SeatMap(t.Context(), 0, func(etag string) bool { return strings.Contains(etag, "7-3") })
		require.NoError(t, err)
		require.Nil(t, snapshot.Body, "the client knows it")
	})
}

func TestSeatMap_ServesOtherReadersIfTheFirstLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := get(t, hall.NewFrom(newSource()), "gala")
		ctx, leave := context.WithCancel(t.Context())
		go func() { _, _ = h.SeatMap(ctx, maxAge, unknown) }()
		synctest.Wait()
		second := make(chan error)
		go func() {
			_, err := h.SeatMap(context.Background(), maxAge, unknown)
			second <- err
		}()
		synctest.Wait()
		leave()
		require.NoError(t, <-second)
	})
}

// During an outage the readers that wait for a refresh share its error.
func TestSeatMap_SharesOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		s.err = seatlock.ErrUnavailable
		h := get(t, hall.NewFrom(s), "gala")
		start := time.Now()
		var readers sync.WaitGroup
		for range 100 {
			readers.Go(func() {
				_, err := h.SeatMap(context.Background(), maxAge, unknown)
				require.ErrorIs(t, err, seatlock.ErrUnavailable)
			})
		}
		readers.Wait()
		require.Equal(t, 10*time.Millisecond, time.Since(start), "one refresh, by the bubble's clock")
		s.err = nil
		_, err := h.SeatMap(t.Context(), maxAge, unknown)
		require.NoError(t, err)
	})
}

func TestFollow_CollectsChangesOfOtherReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		halls := hall.NewFrom(s)
		f, _, err := halls.Follow(t.Context(), "gala")
		require.NoError(t, err)
		go func() { s.subscriptions <- "gala" }()
		<-f.Changed()

		s.update = seatlock.Update{Changes: []seatlock.Change{{ID: "7-2"}}, More: true}
		_, err = get(t, halls, "gala").SeatMap(t.Context(), 0, unknown)
		require.NoError(t, err)
		<-f.Changed()
		s.update = seatlock.Update{Changes: []seatlock.Change{{ID: "7-3"}}, NextExpiry: time.Second}
		batch, nextExpiry, err := f.Take(t.Context())
		require.NoError(t, err)
		require.Equal(t, []seatlock.Change{{ID: "7-2"}, {ID: "7-3"}}, batch.Changes)
		require.Equal(t, time.Second, nextExpiry)
		s.update = seatlock.Update{Reset: true}
		batch, _, err = f.Take(t.Context())
		require.NoError(t, err)
		require.True(t, batch.Reset)
		require.Equal(t, 1, halls.Stats().Reloads)

		f.Close()
		f.Close()
		require.Equal(t, []string{"+gala", "-gala"}, s.subscribed)
		close(s.subscriptions)
		time.Sleep(time.Hour) // ends the timers of the bubble
	})
}

// The last follower of an event leaves while another one comes: neither takes the other's
// changes, nor ends the other's subscription.
func TestFollow_KeepsFollowersApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		halls := hall.NewFrom(s)
		leaving, _, err := halls.Follow(t.Context(), "gala")
		require.NoError(t, err)
		coming, _, err := halls.Follow(t.Context(), "gala")
		require.NoError(t, err)
		s.update = seatlock.Update{Changes: []seatlock.Change{{ID: "7-2"}}}
		_, _, err = leaving.Take(t.Context())
		require.NoError(t, err)
		leaving.Close()
		s.update = seatlock.Update{Changes: []seatlock.Change{{ID: "7-3"}}}
		batch, _, err := coming.Take(t.Context())
		require.NoError(t, err)
		require.Equal(t, []seatlock.Change{{ID: "7-2"}, {ID: "7-3"}}, batch.Changes)
		require.Equal(t, []string{"+gala"}, s.subscribed)
		coming.Close()
		close(s.subscriptions)
		time.Sleep(time.Hour)
	})
}

func TestHalls_ForgetsEventsWithoutReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		s.seats = 10
		halls := hall.NewFrom(s)
		followed, _, err := halls.Follow(t.Context(), "followed")
		require.NoError(t, err)
		_, err = get(t, halls, "gala").SeatMap(t.Context(), maxAge, unknown)
		require.NoError(t, err)
		require.Equal(t, hall.Stats{Halls: 2, Seats: 20}, halls.Stats())
		time.Sleep(2 * time.Minute)
		require.Equal(t, hall.Stats{Halls: 1, Seats: 10}, halls.Stats())
		followed.Close()
		time.Sleep(2 * time.Minute)
		require.Equal(t, hall.Stats{}, halls.Stats())
		close(s.subscriptions)
	})
}

// One refresh a second and event would keep a process with many events busy.
func TestHalls_RefreshesLessOftenWithManyFollowedEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		halls := hall.NewFrom(s)
		var followers []*hall.Follower
		follow := func(event string) {
			f, _, err := halls.Follow(t.Context(), event)
			require.NoError(t, err)
			followers = append(followers, f)
		}
		for i := range 1000 {
			follow(fmt.Sprint(i))
		}
		require.Equal(t, time.Second, halls.Interval())
		follow("gala")
		require.Equal(t, 1001*time.Millisecond, halls.Interval())
		follow("gala") // it counts once
		require.Equal(t, 1001*time.Millisecond, halls.Interval())
		followers[1000].Close()
		require.Equal(t, 1001*time.Millisecond, halls.Interval())
		followers[1001].Close()
		require.Equal(t, time.Second, halls.Interval())
		for _, f := range followers {
			f.Close()
		}
		close(s.subscriptions)
		time.Sleep(time.Hour)
		require.Equal(t, hall.Stats{}, halls.Stats())
	})
}

func TestFollow_LeavesNothingIfRedisIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		s.err = seatlock.ErrUnavailable
		halls := hall.NewFrom(s)
		_, _, err := halls.Follow(t.Context(), "gala")
		require.ErrorIs(t, err, seatlock.ErrUnavailable)
		time.Sleep(2 * time.Minute)
		require.Equal(t, hall.Stats{}, halls.Stats(), "no follower keeps the view")
		require.Empty(t, s.subscribed)
	})
}

func TestSeatMap_EndsWithContextWhileAnotherReaderRefreshes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		halls := hall.NewFrom(s)
		f, _, err := halls.Follow(t.Context(), "gala")
		require.NoError(t, err)
		h := get(t, halls, "gala")
		go func() { _, _ = h.SeatMap(context.Background(), 0, unknown) }()
		synctest.Wait()
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = get(t, halls, "gala").SeatMap(ctx, 0, unknown)
		require.ErrorIs(t, err, context.Canceled)
		_, _, err = f.Take(ctx)
		require.ErrorIs(t, err, context.Canceled)
		_, err = f.Position(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, start, time.Now())
		f.Close()
		close(s.subscriptions)
		time.Sleep(time.Hour)
	})
}

func TestSnapshot_CompressesBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		snapshot, err := get(t, hall.NewFrom(newSource()), "gala").SeatMap(t.Context(), maxAge, unknown)
		require.NoError(t, err)
		r, err := gzip.NewReader(bytes.NewReader(snapshot.Compressed()))
		require.NoError(t, err)
		body, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, string(snapshot.Body()), string(body))
		time.Sleep(time.Hour)
	})
}

// A snapshot is shared, not only its refresh. But no reader gets one that is older than it asks
// for.
func TestSeatMap_EncodesOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		h := get(t, hall.NewFrom(s), "gala")
		first, err := h.SeatMap(t.Context(), maxAge, unknown)
		require.NoError(t, err)
		time.Sleep(100 * time.Millisecond)
		second, err := h.SeatMap(t.Context(), maxAge, unknown)
		require.NoError(t, err)
		require.Same(t, first, second)
		third, err := h.SeatMap(t.Context(), 50*time.Millisecond, unknown)
		require.NoError(t, err)
		require.NotSame(t, first, third)
		require.Equal(t, 2, s.refreshes)
		time.Sleep(time.Hour)
	})
}

// Readers that wait for the same refresh share it, even if each asks for the newest.
func TestSeatMap_SharesRefreshAmongReadersThatWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		h := get(t, hall.NewFrom(s), "gala")
		for i := range 100 {
			go func() { _, _ = h.SeatMap(context.Background(), 0, unknown) }()
			if i == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, 2, s.refreshes, "the first began before the other readers came")
		time.Sleep(time.Hour)
	})
}

func TestFollower_PositionIsThatOfNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		halls := hall.NewFrom(s)
		f, position, err := halls.Follow(t.Context(), "gala")
		require.NoError(t, err)
		require.Equal(t, "7-1", position)
		time.Sleep(time.Nanosecond)
		position, err = f.Position(t.Context())
		require.NoError(t, err)
		require.Equal(t, "7-2", position)
		s.err = seatlock.ErrUnavailable
		time.Sleep(time.Nanosecond)
		_, err = f.Position(t.Context())
		require.ErrorIs(t, err, seatlock.ErrUnavailable)
		f.Close()
		close(s.subscriptions)
		time.Sleep(time.Hour)
	})
}

func TestHalls_KeepsEventForAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		halls := hall.NewFrom(newSource())
		get(t, halls, "gala")
		time.Sleep(time.Minute - time.Nanosecond)
		synctest.Wait()
		require.Equal(t, 1, halls.Stats().Halls)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Zero(t, halls.Stats().Halls)
	})
}

func TestHalls_CountsSeatsOfViewsInMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		halls := hall.NewFrom(s)
		first := get(t, halls, "gala")
		refresh := func(h *hall.Hall, seats int) {
			s.seats = seats
			_, err := h.SeatMap(t.Context(), 0, unknown)
			require.NoError(t, err)
		}
		for _, seats := range []int{10, 10, 7} {
			refresh(first, seats)
			require.Equal(t, hall.Stats{Halls: 1, Seats: seats}, halls.Stats())
		}
		time.Sleep(2 * time.Minute)
		refresh(first, 10) // by a reader that has had it for so long
		require.Equal(t, hall.Stats{}, halls.Stats())
		second := get(t, halls, "gala")
		refresh(first, 10)
		require.Equal(t, hall.Stats{Halls: 1}, halls.Stats())
		refresh(second, 8)
		require.Equal(t, hall.Stats{Halls: 1, Seats: 8}, halls.Stats())
		time.Sleep(time.Hour)
	})
}

// Random event IDs can't fill the memory.
func TestHalls_BoundsEventsAndSeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		halls := hall.NewFrom(s)
		for i := range 20_000 {
			get(t, halls, fmt.Sprint(i))
		}
		require.Equal(t, 10_000, halls.Stats().Halls)
		s.seats = 300_000
		for i := range 5 {
			_, err := get(t, halls, fmt.Sprint("large", i)).SeatMap(t.Context(), maxAge, unknown)
			require.NoError(t, err)
		}
		require.Equal(t, 900_000, halls.Stats().Seats)
		s.seats = 100_000
		_, err := get(t, halls, "small").SeatMap(t.Context(), maxAge, unknown)
		require.NoError(t, err)
		require.Equal(t, 1_000_000, halls.Stats().Seats)
		time.Sleep(time.Hour)
	})
}
