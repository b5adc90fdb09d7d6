package seatlock_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func groupsOf(groups ...[]string) [][]string { return groups }

func (b *testBundle) reserveFirst(t *testing.T, user string, terms seatlock.Terms, groups ...[]string) (seatlock.Choice, error) {
	t.Helper()
	return b.locker.ReserveFirst(t.Context(), event, groups, user, terms)
}

func TestReserveFirst(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setupWith(t, r, seatlock.Options{HoldTime: holdTime, MaxSeatsPerUser: 4})
		b.block(t, "house", "1D", "1E")
		b.reserve(t, bob, "1A")
		b.reserve(t, ann, "1C")
		choice, err := b.reserveFirst(t, ann, seatlock.Terms{}, []string{"1A", "1B"}, []string{"1C", "1F"}, []string{"1D"}, []string{"2A", "2B", "2C"}, []string{"2D"})
		require.NoError(t, err)
		require.Equal(t, []string{"2A", "2B", "2C"}, choice.Seats)
		require.Equal(t, holdTime, choice.ExpiresIn)
		for id, want := range map[string]seatlock.Status{"1B": seatlock.Available, "1F": seatlock.Available, "2A": seatlock.Reserved, "2C": seatlock.Reserved, "2D": seatlock.Available} {
			b.status(t, id, want)
		}
		require.Equal(t, "held[2A 2B 2C]", b.changes(t, seatlock.NoChange)[3])

		_, err = b.reserveFirst(t, bob, seatlock.Terms{}, []string{"2A"}, []string{"2B", "2D"}, []string{"1D"})
		requireConflict(t, err, seatlock.ErrTaken, "2A Reserved", "2B Reserved", "1D Blocked")
		_, err = b.reserveFirst(t, ann, seatlock.Terms{}, []string{"2A"}, []string{"2D"})
		require.ErrorIs(t, err, seatlock.ErrSeatLimit, "ann has four")
		choice, err = b.reserveFirst(t, bob, seatlock.Terms{Channel: "house"}, []string{"2D"}, []string{"1D", "1E"})
		require.NoError(t, err)
		require.Equal(t, []string{"1D", "1E"}, choice.Seats)

		for name, groups := range map[string][][]string{"None": nil, "Empty": groupsOf([]string{"3A"}, nil), "Twice": groupsOf([]string{"3A"}, []string{"3A"})} {
			_, err := b.reserveFirst(t, bob, seatlock.Terms{}, groups...)
			require.ErrorIs(t, err, seatlock.ErrInvalid, name)
		}
		_, err = b.reserveFirst(t, bob, keyed("k"), []string{"3A"})
		require.ErrorIs(t, err, seatlock.ErrInvalid, "no query")
	})
}

// The calls of a batch are decided in turn, whether they offer groups or not.
func TestReserveFirst_InOneBatch(t *testing.T) {
	t.Parallel()
	s := stall(t, seatlock.Options{})
	choices, errs := make([]seatlock.Choice, 4), make([]error, 4)
	best := func(i int, user string, groups ...[]string) {
		s.call(func() {
			choices[i], errs[i] = s.locker.ReserveFirst(context.Background(), event, groups, user, seatlock.Terms{})
		})
		s.requireQueued(t, i+1)
	}
	best(0, ann, []string{"1A", "1B"}, []string{"1C", "1D"})
	best(1, bob, []string{"1B", "1C"}, []string{"1E"}, []string{"1D"})
	s.call(func() { _, errs[2] = s.locker.Reserve(context.Background(), event, []string{"1C"}, bob) })
	s.requireQueued(t, 3)
	best(3, ann, []string{"1A"}, []string{"1C"})
	s.wake(t)
	require.Equal(t, 4, <-s.batches)
	require.NoError(t, errs[0])
	require.Equal(t, []string{"1A", "1B"}, choices[0].Seats)
	require.NoError(t, errs[1])
	require.Equal(t, []string{"1E"}, choices[1].Seats)
	require.NoError(t, errs[2])
	requireConflict(t, errs[3], seatlock.ErrTaken, "1A Reserved", "1C Reserved")
	require.Equal(t, []string{"held[1A 1B 1E 1C]"}, s.changes(t, seatlock.NoChange))
}

func TestReserveFirst_RepeatHoldsTheSameSeats(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		terms := func(key, query string) seatlock.Terms {
			return seatlock.Terms{Request: &seatlock.Request{Key: key, Query: query}}
		}
		_, found, err := b.locker.Chosen(t.Context(), event, ann, terms("k", "two"))
		require.NoError(t, err)
		require.False(t, found)
		first, err := b.reserveFirst(t, ann, terms("k", "two"), []string{"1A", "007"}, []string{"1C", "1D"})
		require.NoError(t, err)
		r.Advance(t, time.Minute)
		require.NoError(t, b.locker.Release(t.Context(), event, first.Seats, ann))
		before := b.contents(t)

		again := terms("k", "two")
		choice, err := b.reserveFirst(t, ann, again, []string{"2A", "2B"}, []string{"2C", "2D"})
		require.NoError(t, err)
		require.True(t, again.Request.Replayed)
		require.Equal(t, first, choice)
		again = terms("k", "two")
		choice, found, err = b.locker.Chosen(t.Context(), event, ann, again)
		require.NoError(t, err)
		require.True(t, found && again.Request.Replayed)
		require.Equal(t, first, choice)

		_, err = b.reserveFirst(t, ann, terms("k", "three"), []string{"2A", "2B", "2C"})
		require.ErrorIs(t, err, seatlock.ErrRequestReused)
		_, _, err = b.locker.Chosen(t.Context(), event, ann, terms("k", "three"))
		require.ErrorIs(t, err, seatlock.ErrRequestReused)
		require.Equal(t, before, b.contents(t))
		_, err = b.locker.ReserveOn(t.Context(), event, []string{"1A"}, ann, keyed("reserve"))
		require.NoError(t, err)
		_, _, err = b.locker.Chosen(t.Context(), event, ann, terms("reserve", "two"))
		require.ErrorIs(t, err, seatlock.ErrRequestReused)
	})
}

// Each of many callers gets seats of its own while there are any.
func TestReserveFirst_GivesEachSeatOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		const pairs = 20
		var groups [][]string
		for i := range pairs {
			groups = append(groups, []string{fmt.Sprintf("%d-1", i), fmt.Sprintf("%d-2", i)})
		}
		var mu sync.Mutex
		var calls sync.WaitGroup
		seats, refused := map[string]int{}, 0
		for i := range pairs + 5 {
			calls.Go(func() {
				choice, err := b.locker.ReserveFirst(t.Context(), event, groups, fmt.Sprint("user", i), seatlock.Terms{})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					refused++
				}
				for _, seat := range choice.Seats {
					seats[seat]++
				}
			})
		}
		calls.Wait()
		require.Equal(t, 5, refused)
		require.Len(t, seats, 2*pairs)
		for seat, times := range seats {
			require.Equal(t, 1, times, seat)
		}
	})
}
