package seatlock_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/internal/batch"
	"booking/seatlock/redistest"
)

// stalled is a Locker whose Redis does not answer. Two batches are in flight, and all other calls of
// the event wait for the next.
type stalled struct {
	*testBundle
	server  *redistest.Redis
	batches chan int // how many calls each round trip has
	calls   sync.WaitGroup
}

func stall(t *testing.T, opt seatlock.Options) *stalled {
	t.Helper()
	s := &stalled{server: redistest.Server(t), batches: make(chan int, 100)}
	opt.Timeout = time.Hour // no batch is slow
	opt.OnBatch = func(calls int) { s.batches <- calls }
	s.testBundle = setupWith(t, s.server, opt)
	s.server.Pause(t)
	for range 2 {
		s.call(func() { _, _ = s.locker.Status(context.Background(), event, "1A") })
		require.Equal(t, 1, <-s.batches)
	}
	return s
}

func (s *stalled) call(f func()) { s.calls.Go(f) }

// requireQueued waits until as many calls wait.
func (s *stalled) requireQueued(t *testing.T, calls int) {
	t.Helper()
	require.Eventually(t, func() bool { return s.locker.Queued() == calls }, redistest.WaitLimit, time.Millisecond)
}

// wake lets Redis answer, and waits until all calls have returned.
func (s *stalled) wake(t *testing.T) {
	t.Helper()
	s.server.Resume(t)
	s.calls.Wait()
}

func TestReserve_DecidesCallsOfBatchInTurn(t *testing.T) {
	t.Parallel()
	s := stall(t, seatlock.Options{MaxSeatsPerUser: 3})
	type result struct {
		hold seatlock.Hold
		err  error
	}
	results := make([]result, 6)
	for i, call := range []struct {
		user  string
		seats []string
	}{
		{ann, []string{"1A", "1B"}},
		{bob, []string{"1B", "1C"}}, // 1B is ann's
		{ann, []string{"1B", "1A"}}, // repeated
		{bob, []string{"1C"}},
		{ann, []string{"2A", "2B"}}, // would make four
		{ann, []string{"2A"}},
	} {
		s.call(func() {
			results[i].hold, results[i].err = s.locker.Reserve(context.Background(), event, call.seats, call.user)
		})
		s.requireQueued(t, i+1)
	}
	s.wake(t)
	require.Equal(t, 6, <-s.batches)

	require.NoError(t, results[0].err)
	var conflict *seatlock.ConflictError
	require.ErrorAs(t, results[1].err, &conflict)
	require.ErrorIs(t, conflict, seatlock.ErrTaken)
	require.Equal(t, []seatlock.Seat{{ID: "1B", Status: seatlock.Reserved, ExpiresIn: holdTime}}, conflict.Seats)
	require.NoError(t, results[2].err)
	require.Equal(t, results[0].hold, results[2].hold)
	require.NoError(t, results[3].err)
	var limit *seatlock.LimitError
	require.ErrorAs(t, results[4].err, &limit)
	require.Equal(t, seatlock.LimitError{Limit: 3, Held: 2}, *limit)
	require.NoError(t, results[5].err)

	found, err := s.locker.Map(t.Context(), event)
	require.NoError(t, err)
	require.Len(t, found.Seats, 4)
	changes, err := s.locker.Changes(t.Context(), event, seatlock.NoChange, 10_000)
	require.NoError(t, err)
	require.Len(t, changes, 1)
	require.Equal(t, []string{"1A", "1B", "1C", "2A"}, changes[0].SeatIDs)
}

func TestLocker_SharesRoundTrips(t *testing.T) {
	t.Parallel()
	s := stall(t, seatlock.Options{})
	for i := range 1000 {
		s.call(func() { _, _ = s.locker.Status(context.Background(), event, fmt.Sprint(i)) })
	}
	s.requireQueued(t, 1000)
	s.wake(t)
	require.Equal(t, []int{256, 256, 256, 232}, []int{<-s.batches, <-s.batches, <-s.batches, <-s.batches})
}

func TestReserve_IsNotSentIfContextEndsInQueue(t *testing.T) {
	t.Parallel()
	s := stall(t, seatlock.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var err error
	s.call(func() { _, err = s.locker.Reserve(ctx, event, []string{"1A"}, ann) })
	s.requireQueued(t, 1)
	cancel()
	s.wake(t)
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	require.NotErrorIs(t, err, seatlock.ErrOutcomeUnknown)
	s.status(t, "1A", seatlock.Available)
}

func TestReserve_RefusesAtOnceIfQueueIsFull(t *testing.T) {
	t.Parallel()
	s := stall(t, seatlock.Options{})
	for i := range seatlock.MaxQueued {
		s.call(func() { _, _ = s.locker.Reserve(context.Background(), event, []string{fmt.Sprint(i)}, ann) })
	}
	s.requireQueued(t, seatlock.MaxQueued)
	_, err := s.locker.Reserve(t.Context(), event, []string{"1A"}, bob)
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	require.ErrorIs(t, err, batch.ErrQueueFull)
	_, err = s.locker.Reserve(t.Context(), "another", []string{"1A"}, bob)
	require.ErrorIs(t, err, seatlock.ErrUnavailable, "the queues of all events share the limit")
	s.wake(t)
	s.status(t, "0", seatlock.Reserved)
}

// A batch has no more seats than one run of the script can take.
func TestReserve_BoundsBatchBySeats(t *testing.T) {
	t.Parallel()
	s := stall(t, seatlock.Options{})
	const callers, group = 256, 40
	for i := range callers {
		s.call(func() {
			seats := make([]string, group)
			for k := range seats {
				seats[k] = fmt.Sprint(i, "-", k)
			}
			if _, err := s.locker.Reserve(context.Background(), event, seats, ann); err != nil {
				t.Errorf("reserve: %v", err)
			}
		})
	}
	s.requireQueued(t, callers)
	s.wake(t)
	found, err := s.locker.Map(t.Context(), event)
	require.NoError(t, err)
	require.Len(t, found.Seats, callers*group)
}

// roundTrips counts the round trips of a client that run scripts.
type roundTrips struct {
	scanHook
	n atomic.Int64
}

func (r *roundTrips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() == "evalsha" {
			r.n.Add(1)
		}
		return next(ctx, cmds)
	}
}

// While four round trips are in flight, the calls of all other events wait, and share the next.
func TestLocker_SharesRoundTripsOfEvents(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	client, trips := r.Client(t), &roundTrips{}
	client.AddHook(trips)
	locker, err := seatlock.New(client, seatlock.Options{Timeout: time.Hour})
	require.NoError(t, err)
	_, err = locker.Reserve(t.Context(), event, []string{"1A"}, ann) // now Redis has the script
	require.NoError(t, err)
	reserve := func(calls *sync.WaitGroup, event string) {
		calls.Go(func() {
			if _, err := locker.Reserve(context.Background(), event, []string{"1A"}, ann); err != nil {
				t.Errorf("%s: %v", event, err)
			}
		})
	}
	r.Pause(t)
	before := trips.n.Load()
	var calls sync.WaitGroup
	for i := range 4 {
		reserve(&calls, fmt.Sprint("first-", i))
	}
	require.Eventually(t, func() bool { return trips.n.Load() == before+4 }, redistest.WaitLimit, time.Millisecond)
	const others = 30
	for i := range others {
		reserve(&calls, fmt.Sprint("other-", i))
	}
	require.Eventually(t, func() bool { return locker.Queued() == others }, redistest.WaitLimit, time.Millisecond)
	before = trips.n.Load()
	r.Resume(t)
	calls.Wait()
	// One is enough, unless some calls were still on their way to the queue.
	require.LessOrEqual(t, trips.n.Load()-before, int64(others/3), "for %d events", others)
	for i := range others {
		seat, err := locker.Status(t.Context(), fmt.Sprint("other-", i), "1A")
		require.NoError(t, err)
		require.Equal(t, seatlock.Reserved, seat.Status)
	}
}
