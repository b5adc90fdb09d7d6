package seatlock_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// newRelay returns a Relay of the event, as another process has it.
func (b *testBundle) newRelay(t *testing.T) *seatlock.Relay {
	t.Helper()
	relay, err := b.locker.NewRelay(event, 100_000)
	require.NoError(t, err)
	return relay
}

// refreshRelay requires that a Refresh succeeds, and returns the cursor.
func refreshRelay(t *testing.T, relay *seatlock.Relay, sent string) string {
	t.Helper()
	state, err := relay.Refresh(t.Context(), sent)
	require.NoError(t, err)
	return state.Cursor
}

// endLease makes the lease of the event end, as its time does.
func (b *testBundle) endLease(t *testing.T) {
	t.Helper()
	require.NoError(t, b.redis.HSet(t.Context(), "relay:{gala}", "ends", 1).Err())
}

func TestRelay_OneProcessHasLease(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.put(t, seatlock.Put{})
		b.reserve(t, ann, "1A")
		b.reserve(t, ann, "1B")
		_, ids := b.journal(t, seatlock.NoChange, 10)

		first, second := b.newRelay(t), b.newRelay(t)
		require.Equal(t, seatlock.NoChange, refreshRelay(t, first, ""))
		require.Positive(t, first.Remaining())
		state, err := second.Refresh(t.Context(), "")
		require.ErrorIs(t, err, seatlock.ErrLeased)
		require.InDelta(t, 13*time.Second, state.LeasedFor, float64(13*time.Second))
		require.Positive(t, state.LeasedFor)
		require.Negative(t, second.Remaining())

		require.Equal(t, ids[0], refreshRelay(t, first, ids[0]))
		require.NoError(t, first.Release(t.Context(), ids[0]))
		require.Negative(t, first.Remaining())
		require.Equal(t, ids[0], refreshRelay(t, second, ""))
		require.Positive(t, second.Remaining())
		require.Equal(t, ids[1], refreshRelay(t, second, ids[1]))
		require.Negative(t, second.Remaining(), "nothing waits, so it has no lease")
		require.NoError(t, second.Release(t.Context(), ids[1]))
		b.reserve(t, ann, "1C")
		refreshRelay(t, first, ids[0])
		require.Positive(t, first.Remaining(), "the lease was given back")
	})
}

// A command of the owner that the network delivers again does not move the cursor back.
func TestRelay_NeverMovesCursorBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.put(t, seatlock.Put{})
		for _, seat := range []string{"1A", "1B", "1C"} {
			b.reserve(t, ann, seat)
		}
		_, ids := b.journal(t, seatlock.NoChange, 10)
		relay := b.newRelay(t)
		refreshRelay(t, relay, "")
		before := *relay
		require.Equal(t, ids[1], refreshRelay(t, relay, ids[1]))
		_, err := before.Refresh(t.Context(), ids[0])
		require.ErrorIs(t, err, seatlock.ErrLeased)
		require.Equal(t, ids[1], refreshRelay(t, relay, ids[1]))
	})
}

// A process begins again at the cursor after another one had the lease, even if that one sent nothing.
func TestRelay_MovesNoCursorAfterAnotherLease(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.put(t, seatlock.Put{})
		b.reserve(t, ann, "1A")
		b.reserve(t, ann, "1B")
		_, ids := b.journal(t, seatlock.NoChange, 10)
		first, second := b.newRelay(t), b.newRelay(t)
		refreshRelay(t, first, "")
		b.endLease(t)
		refreshRelay(t, second, "")
		require.NoError(t, second.Release(t.Context(), ""))
		_, err := first.Refresh(t.Context(), ids[0])
		require.ErrorIs(t, err, seatlock.ErrLeased)
		require.Equal(t, seatlock.NoChange, refreshRelay(t, first, ""))
	})
}

// A process that was away while its lease ended moves the cursor no more.
func TestRelay_MovesCursorOnlyWithLease(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.put(t, seatlock.Put{})
		for _, seat := range []string{"1A", "1B", "1C"} {
			b.reserve(t, ann, seat)
		}
		_, ids := b.journal(t, seatlock.NoChange, 10)
		first, second := b.newRelay(t), b.newRelay(t)
		refreshRelay(t, first, "")
		b.endLease(t)
		refreshRelay(t, second, "")
		require.Equal(t, ids[1], refreshRelay(t, second, ids[1]))

		before := b.contents(t)
		for range 2 { // the second one asks for the lease
			_, err := first.Refresh(t.Context(), ids[0])
			require.ErrorIs(t, err, seatlock.ErrLeased)
			require.NoError(t, first.Release(t.Context(), ids[0]))
		}
		require.Equal(t, before, b.contents(t))
		b.endLease(t)
		require.Equal(t, ids[1], refreshRelay(t, first, ids[0]), "it goes on at the cursor of the other")
	})
}

func TestRelay_RefreshesTwice(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.put(t, seatlock.Put{})
		b.reserve(t, ann, "1A")
		b.reserve(t, ann, "1B")
		_, ids := b.journal(t, seatlock.NoChange, 10)
		proxy := redistest.NewProxy(t, r)
		relay, err := newLocker(t, r.Client(t, proxy.Addr), time.Minute).NewRelay(event, 100_000)
		require.NoError(t, err)
		proxy.LoseNextReply()
		refreshRelay(t, relay, "")
		proxy.LoseNextReply()
		require.Equal(t, ids[0], refreshRelay(t, relay, ids[0]))
		require.EqualValues(t, 2, proxy.Lost.Load())
	})
}

func TestRelay_TakesLeaseAfterClockWentBack(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	b.put(t, seatlock.Put{})
	b.reserve(t, ann, "1A")
	refreshRelay(t, b.newRelay(t), "")
	require.NoError(t, b.redis.HIncrBy(t.Context(), "relay:{gala}", "ends", time.Hour.Milliseconds()).Err())
	refreshRelay(t, b.newRelay(t), "")
}

func TestRelay_RecordsExpiredHolds(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t) // only its clock can be moved
	b := setup(t, r)
	b.put(t, seatlock.Put{})
	relay := b.newRelay(t)
	refreshRelay(t, relay, "")
	b.reserve(t, ann, "1A")
	refreshRelay(t, relay, b.last(t))
	state, err := relay.Refresh(t.Context(), b.last(t))
	require.NoError(t, err)
	require.False(t, state.Leased)
	require.Equal(t, holdTime+time.Millisecond, state.NextExpiry)
	r.Advance(t, time.Hour) // the index has no TTL
	state, err = relay.Refresh(t.Context(), "")
	require.NoError(t, err)
	require.True(t, state.Leased)
	require.Equal(t, []string{"held[1A]", "expired[1A]"}, b.changes(t, seatlock.NoChange))
}

// Redis lost what a process has sent. Though nothing waits, the process gets the lease, to say so.
func TestRelay_TakesLeaseIfCursorIsNotSent(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.put(t, seatlock.Put{})
		state, err := b.newRelay(t).Refresh(t.Context(), "1700000000000000-1700000000000000")
		require.NoError(t, err)
		require.True(t, state.Leased)
		require.Equal(t, seatlock.NoChange, state.Cursor)
	})
}

func TestRelay_WritesNothingWhileIdle(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.put(t, seatlock.Put{})
		b.reserve(t, ann, "1A")
		refreshRelay(t, b.newRelay(t), "")
		b.endLease(t)
		relay := b.newRelay(t)
		refreshRelay(t, relay, "")
		refreshRelay(t, relay, b.last(t))
		before := b.contents(t)
		refreshRelay(t, relay, b.last(t))
		refreshRelay(t, relay, "")
		require.Equal(t, before, b.contents(t))
		for _, key := range []string{"seats:{gala}", "changes:{gala}"} {
			require.Negative(t, b.redis.PTTL(t.Context(), key).Val(), key)
		}
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1A"}, ann)) // the index is empty, and begins again
		b.reserve(t, ann, "1B")
		require.Negative(t, b.redis.PTTL(t.Context(), "seats:{gala}").Val())
	})
}

// Changes that wait are kept; those that were sent are not.
func TestRelay_KeepsChangesThatWait(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.put(t, seatlock.Put{})
		relay, err := b.locker.NewRelay(event, 20_000)
		require.NoError(t, err)
		refreshRelay(t, relay, "")
		b.reserve(t, ann, "1A")
		b.fill(t, 15_000, 1_000_000)
		b.reserve(t, ann, "1B")
		require.EqualValues(t, 15_002, b.redis.XLen(t.Context(), "changes:{gala}").Val())
		entries, err := b.locker.Journal(t.Context(), event, seatlock.NoChange, 1)
		require.NoError(t, err)
		require.Equal(t, []string{"1A"}, entries[0].SeatIDs)

		refreshRelay(t, relay, "")
		refreshRelay(t, relay, entries[0].ID)
		require.EqualValues(t, 15_002, b.redis.XLen(t.Context(), "changes:{gala}").Val())
		refreshRelay(t, relay, b.last(t))
		require.InDelta(t, 10_050, b.redis.XLen(t.Context(), "changes:{gala}").Val(), 60)

		b.fill(t, 15_000, 2_000_000)
		b.reserve(t, ann, "1C")
		require.InDelta(t, 20_050, b.redis.XLen(t.Context(), "changes:{gala}").Val(), 60)
		_, err = b.locker.Journal(t.Context(), event, entries[0].ID, 1)
		require.ErrorIs(t, err, seatlock.ErrReset)
		_, err = b.locker.Journal(t.Context(), event, seatlock.NoChange, 1)
		require.ErrorIs(t, err, seatlock.ErrReset)
	})
}

func TestRelay_EndsWithItsEvent(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		relay := b.newRelay(t)
		b.reserve(t, ann, "1A")
		_, err := relay.Refresh(t.Context(), "")
		require.ErrorIs(t, err, seatlock.ErrUnknownEvent, "it was not put")
		b.put(t, seatlock.Put{})
		refreshRelay(t, relay, "")
		b.buy(t, ann, "1A")
		require.NoError(t, b.locker.DeleteEvent(t.Context(), event, true))
		require.Empty(t, b.keys(t))
		_, err = relay.Refresh(t.Context(), "")
		require.ErrorIs(t, err, seatlock.ErrUnknownEvent)
		require.Empty(t, b.keys(t))
	})
}

func TestRelay_ChangesNothingIfKeyHasWrongType(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		for _, key := range []string{"relay:{gala}", "seats:{gala}", "changes:{gala}", "blocked:{gala}"} {
			require.NoError(t, b.redis.FlushAll(t.Context()).Err())
			b.put(t, seatlock.Put{})
			b.block(t, "house", "1X")
			b.reserve(t, ann, "1A")
			require.NoError(t, b.redis.Set(t.Context(), key, "a string", 0).Err())
			before := b.contents(t)
			_, err := b.newRelay(t).Refresh(t.Context(), "")
			require.ErrorContains(t, err, "WRONGTYPE", key)
			require.Equal(t, before, b.contents(t), key)
		}
	})
}

func TestNewRelay_RefusesInvalidArguments(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	for _, kept := range []int{9_999, seatlock.MaxKept + 1} {
		_, err := b.locker.NewRelay(event, kept)
		require.ErrorIs(t, err, seatlock.ErrInvalid)
	}
	_, err := b.locker.NewRelay("no event", 10_000)
	require.ErrorIs(t, err, seatlock.ErrInvalid)
}
