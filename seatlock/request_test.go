package seatlock_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// keyed returns Terms with a Request.
func keyed(key string) seatlock.Terms { return seatlock.Terms{Request: &seatlock.Request{Key: key}} }

// A requestCall is a call that is repeated with the same key, after other calls have undone it.
type requestCall struct {
	prepare func(t *testing.T, b *testBundle)
	call    func(b *testBundle, seats []string, terms seatlock.Terms) error
	undo    func(t *testing.T, b *testBundle)
}

func requestCalls(t *testing.T) map[string]requestCall {
	nothing := func(*testing.T, *testBundle) {}
	hold := func(t *testing.T, b *testBundle) { b.reserve(t, ann, "1A", "1B") }
	release := func(t *testing.T, b *testBundle) {
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1A", "1B"}, ann))
	}
	sell := func(t *testing.T, b *testBundle) { hold(t, b); b.buy(t, ann, "1A", "1B") }
	giveBack := func(t *testing.T, b *testBundle) { require.NoError(t, b.giveBack(t, "", ann, "1A", "1B")) }
	ctx := t.Context()
	return map[string]requestCall{
		"Reserve": {nothing, func(b *testBundle, seats []string, terms seatlock.Terms) error {
			_, err := b.locker.ReserveOn(ctx, event, seats, ann, terms)
			return err
		}, release},
		"Extend": {func(t *testing.T, b *testBundle) { hold(t, b) }, func(b *testBundle, seats []string, terms seatlock.Terms) error {
			_, err := b.locker.ExtendOn(ctx, event, seats, ann, terms)
			return err
		}, release},
		"Buy": {hold, func(b *testBundle, seats []string, terms seatlock.Terms) error {
			return b.locker.BuyOn(ctx, event, seats, ann, terms)
		}, giveBack},
		"Release": {hold, func(b *testBundle, seats []string, terms seatlock.Terms) error {
			return b.locker.ReleaseOn(ctx, event, seats, ann, terms)
		}, hold},
		"Return": {sell, func(b *testBundle, seats []string, terms seatlock.Terms) error {
			return b.locker.Return(ctx, event, seats, ann, terms)
		}, sell},
		"Exchange": {sell, func(b *testBundle, seats []string, terms seatlock.Terms) error {
			return b.locker.Exchange(ctx, event, seats, []string{"2A", "2B"}[:len(seats)], ann, terms)
		}, func(t *testing.T, b *testBundle) {
			require.NoError(t, b.exchange(t, "", ann, []string{"2A", "2B"}, []string{"1A", "1B"}))
		}},
		"Block": {nothing, func(b *testBundle, seats []string, terms seatlock.Terms) error {
			return b.locker.Block(ctx, event, seats, "house", terms)
		}, func(t *testing.T, b *testBundle) { b.unblock(t, "house", "1A", "1B") }},
		"Unblock": {func(t *testing.T, b *testBundle) { b.block(t, "house", "1A", "1B") }, func(b *testBundle, seats []string, terms seatlock.Terms) error {
			return b.locker.Unblock(ctx, event, seats, "house", terms)
		}, func(t *testing.T, b *testBundle) { b.block(t, "house", "1A", "1B") }},
	}
}

// A call that arrives again, after later calls, changes nothing and gets its first answer.
func TestRequest_RepeatChangesNothing(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		for name, c := range requestCalls(t) {
			b := setup(t, r)
			require.NoError(t, b.redis.FlushAll(t.Context()).Err())
			seats := []string{"1A", "1B"}
			c.prepare(t, b)
			first := keyed("k 1")
			require.NoError(t, c.call(b, seats, first), name)
			require.False(t, first.Request.Replayed, name)
			c.undo(t, b)
			before := b.contents(t)

			again := keyed("k 1")
			require.NoError(t, c.call(b, seats, again), name)
			require.True(t, again.Request.Replayed, name)
			require.ErrorIs(t, c.call(b, seats[:1], keyed("k 1")), seatlock.ErrRequestReused, name)
			require.Equal(t, before, b.contents(t), name)

			other := keyed("k 2")
			if c.call(b, seats, other) == nil { // refused: there is no hold any more
				require.NotEqual(t, before, b.contents(t), name)
			}
			require.False(t, other.Request.Replayed, name)
		}
	})
}

func TestRequest_ReplaysAnswer(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		hold, err := b.locker.ReserveOn(t.Context(), event, []string{"1A"}, ann, keyed("k"))
		require.NoError(t, err)
		r.Advance(t, time.Minute)
		extended, err := b.locker.ExtendOn(t.Context(), event, []string{"1A"}, ann, keyed("extend"))
		require.NoError(t, err)
		r.Advance(t, time.Minute)

		again, err := b.locker.ReserveOn(t.Context(), event, []string{"1A"}, ann, keyed("k"))
		require.NoError(t, err)
		require.Equal(t, hold, again)
		again, err = b.locker.ExtendOn(t.Context(), event, []string{"1A"}, ann, keyed("extend"))
		require.NoError(t, err)
		require.Equal(t, extended, again)

		theirs := keyed("k")
		_, err = b.locker.ReserveOn(t.Context(), event, []string{"1B"}, bob, theirs)
		require.NoError(t, err, "keys are each user's own")
		require.False(t, theirs.Request.Replayed)
		_, err = b.locker.ReserveOn(t.Context(), "another", []string{"1A"}, ann, keyed("k"))
		require.NoError(t, err, "and each event's own")
		require.ErrorIs(t, b.locker.ReleaseOn(t.Context(), event, []string{"1A"}, ann, keyed("k")), seatlock.ErrRequestReused)

		r.Advance(t, 10*time.Minute)
		later := keyed("k")
		_, err = b.locker.ReserveOn(t.Context(), event, []string{"1A"}, ann, later)
		require.NoError(t, err)
		require.False(t, later.Request.Replayed, "RequestTTL has passed")
	})
}

func TestRequest_ForgetsRefusal(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, bob, "1A")
		_, err := b.locker.ReserveOn(t.Context(), event, []string{"1A"}, ann, keyed("k"))
		require.ErrorIs(t, err, seatlock.ErrTaken)
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1A"}, bob))
		terms := keyed("k")
		_, err = b.locker.ReserveOn(t.Context(), event, []string{"1A"}, ann, terms)
		require.NoError(t, err)
		require.False(t, terms.Request.Replayed)
	})
}

// A double click sends the same request twice, and both may share a batch.
func TestRequest_ReserveInOneBatch(t *testing.T) {
	t.Parallel()
	s := stall(t, seatlock.Options{})
	requests, errs := make([]seatlock.Terms, 3), make([]error, 3)
	for i, seat := range []string{"1A", "1A", "1B"} {
		requests[i] = keyed("k")
		s.call(func() {
			_, errs[i] = s.locker.ReserveOn(context.Background(), event, []string{seat}, ann, requests[i])
		})
		s.requireQueued(t, i+1)
	}
	s.wake(t)
	require.Equal(t, 3, <-s.batches)
	require.NoError(t, errs[0])
	require.False(t, requests[0].Request.Replayed)
	require.NoError(t, errs[1])
	require.True(t, requests[1].Request.Replayed)
	require.ErrorIs(t, errs[2], seatlock.ErrRequestReused)
	require.Equal(t, []string{"held[1A]"}, s.changes(t, seatlock.NoChange))
}

func TestRequest_RejectsKeys(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	for _, key := range []string{"", strings.Repeat("k", 65), "käy", "a\tb"} {
		for name, c := range requestCalls(t) {
			require.ErrorIs(t, c.call(b, []string{"1A"}, keyed(key)), seatlock.ErrInvalid, "%s %q", name, key)
		}
	}
	require.Empty(t, b.keys(t))
}
