package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/oracle"
	"booking/seatlock/redistest"
)

// The same calls are made at three events: once; twice, one after the other; and twice
// at once. Each is answered the same at all of them, and all of their keys come out
// the same: seats, sets and stream.
func TestEveryCallMadeTwiceIsAsOnce(t *testing.T) {
	for _, limit := range []int{0, 4} {
		t.Run(fmt.Sprint("MaxSeatsPerUser", limit), func(t *testing.T) {
			r := redistest.Mini(t) // whose clock stands still
			opt := seatlock.Options{HoldTime: time.Minute, MaxHoldTime: 3 * time.Minute, MaxSeatsPerUser: limit, Timeout: patience}
			locker, err := seatlock.New(r.Client(t), opt)
			require.NoError(t, err)
			choice := random(limit)
			for i := range 100 {
				call := randomCall(choice)
				once := made(t, locker, "once", call)
				for range 2 {
					require.Equal(t, once, made(t, locker, "twice", call), "%+v", call)
				}
				answers := make([]string, 2)
				var calls sync.WaitGroup
				for k := range answers {
					calls.Go(func() { answers[k] = made(t, locker, "together", call) })
				}
				calls.Wait()
				require.Equal(t, []string{once, once}, answers, "%+v", call)

				want := keysOf(t, r, "once")
				require.Equal(t, want, keysOf(t, r, "twice"), "call %d, %+v", i, call)
				require.Equal(t, want, keysOf(t, r, "together"), "call %d, %+v", i, call)
				if choice.IntN(4) == 0 {
					r.Advance(t, time.Duration(choice.IntN(90_000))*time.Millisecond)
				}
			}
		})
	}
}

func randomCall(choice *rand.Rand) oracle.Call {
	c := oracle.Call{
		Op:   []oracle.Op{oracle.Reserve, oracle.Reserve, oracle.Extend, oracle.Buy, oracle.Release}[choice.IntN(5)],
		User: []string{"ann", "bob", "eve"}[choice.IntN(3)],
	}
	if c.Op == oracle.Buy && choice.IntN(4) > 0 {
		c.Op = oracle.Release // lest all be sold at once
	}
	for _, seat := range choice.Perm(hallSize)[:1+choice.IntN(3)] {
		c.Seats = append(c.Seats, seatName(seat/2))
	}
	slices.Sort(c.Seats)
	c.Seats = slices.Compact(c.Seats)
	return c
}

// made makes a call and returns its answer, of whichever kind, as text.
func made(t *testing.T, l *seatlock.Locker, event string, c oracle.Call) string {
	var hold seatlock.Hold
	var err error
	switch ctx := context.Background(); c.Op {
	case oracle.Reserve:
		hold, err = l.Reserve(ctx, event, c.Seats, c.User)
	case oracle.Extend:
		hold, err = l.Extend(ctx, event, c.Seats, c.User)
	case oracle.Buy:
		err = l.Buy(ctx, event, c.Seats, c.User)
	case oracle.Release:
		err = l.Release(ctx, event, c.Seats, c.User)
	}
	var conflict *seatlock.ConflictError
	if errors.As(err, &conflict) {
		return fmt.Sprintf("%v %+v", conflict.Err, conflict.Seats)
	}
	if err != nil && !errors.Is(err, seatlock.ErrSeatLimit) {
		t.Errorf("%+v: %v", c, err)
	}
	return fmt.Sprintf("%+v %v", hold, err)
}

// keysOf returns all keys of an event, without its name, and what they hold; the
// stream without its ids.
func keysOf(t *testing.T, r *redistest.Redis, event string) map[string]string {
	t.Helper()
	client, found := r.Admin(t), map[string]string{}
	defer func() { require.NoError(t, client.Close()) }()
	names, err := client.Keys(t.Context(), "*{"+event+"}*").Result()
	require.NoError(t, err)
	for _, name := range names {
		kind, err := client.Type(t.Context(), name).Result()
		require.NoError(t, err)
		ttl, err := client.PTTL(t.Context(), name).Result()
		require.NoError(t, err)
		var value any
		switch kind {
		case "string":
			value, err = client.Get(t.Context(), name).Result()
		case "zset":
			value, err = client.ZRangeWithScores(t.Context(), name, 0, -1).Result()
		case "stream":
			messages, failed := client.XRange(t.Context(), name, "-", "+").Result()
			changes := make([]string, len(messages))
			for i, m := range messages {
				changes[i] = fmt.Sprint(m.Values)
			}
			value, err = changes, failed
		default:
			t.Fatalf("%s is a %s", name, kind)
		}
		require.NoError(t, err)
		found[strings.Replace(name, "{"+event+"}", "{}", 1)] = fmt.Sprintf("%v, %v", value, ttl)
	}
	return found
}
