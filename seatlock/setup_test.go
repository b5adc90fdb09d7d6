package seatlock_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

const (
	holdTime = 5 * time.Minute
	event    = "gala"
	ann      = "ann@example.com"
	bob      = "auth0|bob"
)

type testBundle struct {
	locker *seatlock.Locker
	redis  *redis.Client // may run any command
}

func setup(t *testing.T, r *redistest.Redis) *testBundle {
	t.Helper()
	return setupWith(t, r, seatlock.Options{HoldTime: holdTime})
}

// setupWith returns a bundle with opt and, unless opt has one, a Timeout that no test reaches.
func setupWith(t *testing.T, r *redistest.Redis, opt seatlock.Options) *testBundle {
	t.Helper()
	if opt.Timeout == 0 {
		opt.Timeout = time.Minute
	}
	locker, err := seatlock.New(r.Client(t), opt)
	require.NoError(t, err)
	return &testBundle{locker: locker, redis: r.Admin(t)}
}

// newLocker returns a Locker with a client other than the bundle's.
func newLocker(t *testing.T, client seatlock.Client, timeout time.Duration) *seatlock.Locker {
	t.Helper()
	locker, err := seatlock.New(client, seatlock.Options{Timeout: timeout})
	require.NoError(t, err)
	return locker
}

// status requires the status of a seat and returns the seat.
func (b *testBundle) status(t *testing.T, id string, want seatlock.Status) seatlock.Seat {
	t.Helper()
	seat, err := b.locker.Status(t.Context(), event, id)
	require.NoError(t, err)
	require.Equal(t, id, seat.ID)
	require.Equal(t, want, seat.Status)
	return seat
}

// reserve, buy and extend require success.
func (b *testBundle) reserve(t *testing.T, user string, seats ...string) seatlock.Hold {
	t.Helper()
	hold, err := b.locker.Reserve(t.Context(), event, seats, user)
	require.NoError(t, err)
	return hold
}

func (b *testBundle) buy(t *testing.T, user string, seats ...string) {
	t.Helper()
	require.NoError(t, b.locker.Buy(t.Context(), event, seats, user))
}

func (b *testBundle) extend(t *testing.T, user string, seats ...string) seatlock.Hold {
	t.Helper()
	hold, err := b.locker.Extend(t.Context(), event, seats, user)
	require.NoError(t, err)
	return hold
}

// refresh brings a new View of the event up to date. So it records the holds that have ended.
func (b *testBundle) refresh(t *testing.T) seatlock.Update {
	t.Helper()
	view, err := b.locker.NewView(event)
	require.NoError(t, err)
	update, err := view.Refresh(t.Context())
	require.NoError(t, err)
	return update
}

// changes returns the first 100 changes after a position, as lines does.
func (b *testBundle) changes(t *testing.T, after string) []string {
	t.Helper()
	found, err := b.locker.Changes(t.Context(), event, after, 100)
	require.NoError(t, err)
	return lines(found)
}

// lines returns "type[seats]" for each change.
func lines(changes []seatlock.Change) []string {
	var lines []string
	for _, c := range changes {
		lines = append(lines, fmt.Sprint(c.Type, c.SeatIDs))
	}
	return lines
}

// keys returns the names of all keys in Redis.
func (b *testBundle) keys(t *testing.T) []string {
	t.Helper()
	keys, err := b.redis.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	return keys
}

// contents returns the value and the end of each key in Redis.
func (b *testBundle) contents(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, key := range b.keys(t) {
		kind, err := b.redis.Type(t.Context(), key).Result()
		require.NoError(t, err)
		var value any
		switch kind {
		case "string":
			value, err = b.redis.Get(t.Context(), key).Result()
		case "hash":
			value, err = b.redis.HGetAll(t.Context(), key).Result()
		case "zset":
			value, err = b.redis.ZRangeWithScores(t.Context(), key, 0, -1).Result()
		case "stream":
			value, err = b.redis.XRange(t.Context(), key, "-", "+").Result()
		default:
			t.Fatalf("%s is a %s", key, kind)
		}
		require.NoError(t, err)
		ends, err := b.redis.PExpireTime(t.Context(), key).Result()
		require.NoError(t, err)
		found[key] = fmt.Sprint(value, ends)
	}
	return found
}

// requireConflict requires a ConflictError of want with these seats ("ID Status"), in order.
func requireConflict(t *testing.T, err, want error, seats ...string) {
	t.Helper()
	require.ErrorIs(t, err, want)
	var conflict *seatlock.ConflictError
	require.ErrorAs(t, err, &conflict)
	var got []string
	for _, s := range conflict.Seats {
		got = append(got, s.ID+" "+s.Status.String())
		require.Equal(t, s.Status == seatlock.Reserved, s.ExpiresIn > 0, "%+v", s)
		require.LessOrEqual(t, s.ExpiresIn, holdTime)
	}
	require.Equal(t, seats, got)
	require.NotContains(t, err.Error(), ann)
	require.NotContains(t, err.Error(), bob)
}

// redisNow returns the time of Redis, in whole ms.
func redisNow(t *testing.T, b *testBundle) time.Time {
	t.Helper()
	now, err := b.redis.Time(t.Context()).Result()
	require.NoError(t, err)
	return now.Truncate(time.Millisecond)
}

// seatNames returns the names 0 to n-1.
func seatNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	return names
}
