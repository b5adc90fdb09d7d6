package seatlock_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func TestNew_RefusesContradictoryHoldTimes(t *testing.T) {
	t.Parallel()
	_, err := seatlock.New(redistest.Mini(t).Client(t), seatlock.Options{HoldTime: time.Hour, MaxHoldTime: time.Minute})
	require.ErrorIs(t, err, seatlock.ErrInvalid)
}

func TestNew_RefusesClientThatOutlastsContexts(t *testing.T) {
	t.Parallel()
	for _, client := range []interface {
		seatlock.Client
		Close() error
	}{
		redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"}),
		redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "seats", SentinelAddrs: []string{"127.0.0.1:1"}}),
		redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}}),
	} {
		_, err := seatlock.New(client, seatlock.Options{})
		require.ErrorIs(t, err, seatlock.ErrInvalid)
		require.ErrorContains(t, err, "ContextTimeoutEnabled")
		require.NoError(t, client.Close())
	}
}

func TestLocker_TakesMaxSeats(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		all := seatNames(seatlock.MaxSeats)
		b.reserve(t, ann, all...)
		b.extend(t, ann, all...)
		b.buy(t, ann, all...)
	})
}

func TestLocker_RefusesInvalidArguments(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	locker, err := seatlock.New(client, seatlock.Options{})
	require.NoError(t, err)
	for name, args := range map[string]struct {
		event string
		seats []string
		user  string
	}{
		"NoEvent":      {"", []string{"1A"}, ann},
		"EventBraces":  {"a}b", []string{"1A"}, ann},
		"NoSeats":      {event, nil, ann},
		"CyrillicSeat": {event, []string{"1A", "1А"}, ann},
		"SeatTwice":    {event, []string{"1A", "1B", "1A"}, ann},
		"TooManySeats": {event, seatNames(seatlock.MaxSeats + 1), ann},
		"NoUser":       {event, []string{"1A"}, ""},
		"UserSpace":    {event, []string{"1A"}, "a b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := locker.Reserve(t.Context(), args.event, args.seats, args.user)
			require.ErrorIs(t, err, seatlock.ErrInvalid)
			require.ErrorIs(t, locker.Buy(t.Context(), args.event, args.seats, args.user), seatlock.ErrInvalid)
		})
	}
	_, err = locker.Status(t.Context(), event, "")
	require.ErrorIs(t, err, seatlock.ErrInvalid)
}

func TestStatus_UnknownSeatIsAvailable(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		require.Zero(t, b.status(t, "1A", seatlock.Available).ExpiresIn)
	})
}

// A Locker refuses no call because the clock of Redis jumped.
func TestLocker_ReportsClockJumps(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	var jumps []time.Duration
	b := setupWith(t, r, seatlock.Options{HoldTime: holdTime, OnClockJump: func(by time.Duration) { jumps = append(jumps, by) }})
	first := b.reserve(t, ann, "1A")
	require.Empty(t, jumps)

	r.Advance(t, 10*time.Minute) // like a failover to a server whose clock is ahead
	b.reserve(t, bob, "1A")      // ann's hold has ended
	require.Len(t, jumps, 1)
	require.InDelta(t, 10*time.Minute, jumps[0], float64(time.Minute))
	require.InDelta(t, 10*time.Minute, b.locker.ClockOffset(), float64(time.Minute))

	r.Advance(t, -10*time.Minute) // and then to one whose clock is behind
	again := b.reserve(t, bob, "1A")
	require.Len(t, jumps, 2)
	require.InDelta(t, -10*time.Minute, jumps[1], float64(time.Minute))
	require.True(t, again.Deadline.After(first.Deadline))
	require.Equal(t, holdTime, again.ExpiresIn, "no hold is longer than HoldTime")
	require.LessOrEqual(t, b.status(t, "1A", seatlock.Reserved).ExpiresIn, holdTime)
	_, err := b.locker.Reserve(t.Context(), event, []string{"1A"}, ann)
	requireConflict(t, err, seatlock.ErrTaken, "1A Reserved")
	found, err := b.locker.Map(t.Context(), event)
	require.NoError(t, err)
	require.Len(t, found.Seats, 1)
	require.LessOrEqual(t, found.Seats[0].ExpiresIn, holdTime)
}

// A script that can't write all of a transition writes nothing.
func TestLocker_ChangesNothingIfKeyHasWrongType(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		for _, c := range []struct {
			b   *testBundle
			key string
		}{
			{setup(t, r), "seats:{gala}"}, {setup(t, r), "changes:{gala}"},
			{setupLimited(t, r), "seats:{gala}"}, {setupLimited(t, r), "changes:{gala}"}, {setupLimited(t, r), "user:{gala}:" + ann},
			{setup(t, r), "blocked:{gala}"},
		} {
			b, key := c.b, c.key
			require.NoError(t, b.redis.FlushAll(t.Context()).Err())
			b.reserve(t, ann, "1A", "1S")
			b.buy(t, ann, "1S")
			b.block(t, "house", "1X")
			r.Advance(t, time.Minute)
			require.NoError(t, b.redis.Set(t.Context(), key, "a string", 0).Err())
			before := b.contents(t)
			_, err := b.locker.Reserve(t.Context(), event, []string{"1B"}, ann)
			require.ErrorContains(t, err, "WRONGTYPE", key)
			_, err = b.locker.Extend(t.Context(), event, []string{"1A"}, ann)
			require.ErrorContains(t, err, "WRONGTYPE", key)
			require.ErrorContains(t, b.locker.Buy(t.Context(), event, []string{"1A"}, ann), "WRONGTYPE", key)
			require.ErrorContains(t, b.locker.Release(t.Context(), event, []string{"1A"}, ann), "WRONGTYPE", key)
			require.ErrorContains(t, b.giveBack(t, "", ann, "1S"), "WRONGTYPE", key)
			require.ErrorContains(t, b.exchange(t, "", ann, []string{"1S"}, []string{"2S"}), "WRONGTYPE", key)
			if !strings.HasPrefix(key, "user:") { // block and unblock don't write it
				require.ErrorContains(t, b.locker.Block(t.Context(), event, []string{"1B"}, "house", seatlock.Terms{}), "WRONGTYPE", key)
				require.ErrorContains(t, b.locker.Unblock(t.Context(), event, []string{"1X"}, "house", seatlock.Terms{}), "WRONGTYPE", key)
			}
			require.Equal(t, before, b.contents(t), key)
		}
	})
}

// A change that can't be appended is found again: the index keeps the hold that has ended, and the
// seat whose key was deleted.
func TestView_ChangesNothingIfStreamHasWrongType(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A", "1B")
		b.buy(t, ann, "1B")
		r.Advance(t, holdTime+time.Millisecond)
		require.NoError(t, b.redis.Del(t.Context(), "seat:{gala}:1B").Err())
		require.NoError(t, b.redis.Set(t.Context(), "changes:{gala}", "a string", 0).Err())
		before := b.contents(t)
		for range 3 {
			_, err := b.locker.Map(t.Context(), event)
			require.ErrorContains(t, err, "WRONGTYPE")
		}
		require.Equal(t, before, b.contents(t))
	})
}
