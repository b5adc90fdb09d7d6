package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
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

// The same calls of buyers and sellers are made for three events: once; twice in turn; and
// twice concurrently. All three give the same answers and leave the same keys, but for the
// versions of the event.
func TestLocker_IsIdempotent(t *testing.T) {
	for _, limit := range []int{0, 4} {
		t.Run(fmt.Sprint("MaxSeatsPerUser", limit), func(t *testing.T) {
			r := redistest.Mini(t) // its clock does not run
			opt := seatlock.Options{HoldTime: time.Minute, MaxHoldTime: 3 * time.Minute, MaxSeatsPerUser: limit, Timeout: waitLimit}
			locker, err := seatlock.New(r.Client(t), opt)
			require.NoError(t, err)
			choice := random(limit)
			for i := range 100 {
				call := randomCall(choice)
				if call.Op == put {
					call.put = randomPut(t, r, choice)
				}
				once := answer(t, locker, "once", call)
				for range 2 {
					require.Equal(t, once, answer(t, locker, "twice", call), "%+v", call)
				}
				answers := make([]string, 2)
				var calls sync.WaitGroup
				for k := range answers {
					calls.Go(func() { answers[k] = answer(t, locker, "concurrently", call) })
				}
				calls.Wait()
				require.Equal(t, []string{once, once}, answers, "%+v", call)

				want := keysOf(t, r, "once")
				require.Equal(t, want, keysOf(t, r, "twice"), "call %d, %+v", i, call)
				require.Equal(t, want, keysOf(t, r, "concurrently"), "call %d, %+v", i, call)
				if choice.IntN(4) == 0 {
					r.Advance(t, time.Duration(choice.IntN(90_000))*time.Millisecond)
				}
			}
		})
	}
}

// idempotentCall is a call of a buyer or a seller.
type idempotentCall struct {
	oracle.Call
	channel string
	put     seatlock.Put
}

func randomCall(choice *rand.Rand) idempotentCall {
	c := idempotentCall{Call: oracle.Call{
		Op: []oracle.Op{oracle.Reserve, oracle.Reserve, oracle.Reserve, oracle.Reserve, oracle.Extend, oracle.Buy, oracle.Buy, oracle.Release,
			oracle.Return, oracle.Return, oracle.Return, oracle.Exchange, oracle.Exchange, block, block, unblock, put}[choice.IntN(17)],
		User: []string{"ann", "bob", "eve"}[choice.IntN(3)],
	}}
	if c.Op == block || c.Op == unblock || c.Op == oracle.Reserve && choice.IntN(3) == 0 {
		c.channel = []string{"house", "house", "sponsor"}[choice.IntN(3)]
	}
	if c.Op == oracle.Buy && choice.IntN(4) > 0 {
		c.Op = oracle.Release // keep some seats unsold
	}
	if c.Op == oracle.Buy || c.Op == oracle.Return || c.Op == oracle.Exchange {
		c.Order = []string{"", "o1", "o1", "o2"}[choice.IntN(4)]
	}
	if c.Op == oracle.Exchange {
		order, n := choice.Perm(eventSeats/2), 1+choice.IntN(2)
		for i := range n {
			c.Seats, c.To = append(c.Seats, seatName(order[i])), append(c.To, seatName(order[n+i]))
		}
		return c
	}
	for _, seat := range choice.Perm(eventSeats)[:1+choice.IntN(3)] {
		c.Seats = append(c.Seats, seatName(seat/2))
	}
	slices.Sort(c.Seats)
	c.Seats = slices.Compact(c.Seats)
	return c
}

// randomPut returns settings with a sale window around the time of Redis.
func randomPut(t *testing.T, r *redistest.Redis, choice *rand.Rand) seatlock.Put {
	t.Helper()
	client := r.Admin(t)
	defer func() { require.NoError(t, client.Close()) }()
	now, err := client.Time(t.Context()).Result()
	require.NoError(t, err)
	p := seatlock.Put{Document: fmt.Append(nil, choice.IntN(2)), Plan: fmt.Append(nil, "plan", choice.IntN(2))}
	p.OnSale = now.Add(time.Duration(choice.IntN(3)-2) * time.Minute)
	if choice.IntN(2) == 0 {
		p.OffSale = p.OnSale.Add(4 * time.Minute)
	}
	if choice.IntN(2) == 0 {
		p.HoldTime, p.MaxSeatsPerUser = 2*time.Minute, new(5)
	}
	return p
}

// answer makes a call and returns its result or error as text.
func answer(t *testing.T, l *seatlock.Locker, event string, c idempotentCall) string {
	if c.Op == put {
		e, _, err := l.PutEvent(context.Background(), event, c.put)
		return fmt.Sprintf("%s, %d blocked, %v", e.Document, e.Blocked, err)
	}
	c.Event = event
	hold, err := callChannel(context.Background(), l, c.Call, c.channel)
	var conflict *seatlock.ConflictError
	if errors.As(err, &conflict) {
		return fmt.Sprintf("%v %+v", conflict.Err, conflict.Seats)
	}
	if err != nil && !errors.Is(err, seatlock.ErrSeatLimit) && !errors.Is(err, seatlock.ErrNotOnSale) {
		t.Errorf("%+v: %v", c, err)
	}
	return fmt.Sprintf("%+v %v", hold, err)
}

// versions matches the versions in the settings of an event, and the version of its plan.
var versions = regexp.MustCompile(`^\d+:(\d+:)?`)

// keysOf returns all keys of an event with their values and TTLs. It leaves out the event's
// name and versions, and the stream's entry IDs.
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
			value = versions.ReplaceAllString(value.(string), "")
		case "hash":
			fields, failed := client.HGetAll(t.Context(), name).Result()
			fields["settings"] = versions.ReplaceAllString(fields["settings"], "")
			value, err = fields, failed
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
