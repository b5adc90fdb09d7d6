package faults_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/oracle"
	"booking/seatlock/redistest"
)

const (
	linearClients = 8
	linearCalls   = 25 // of each client, for one event
)

// Eight clients and six seats, held for so short a time that holds end all the while:
// each call took effect at one moment while it was under way, whatever it was told.
func TestCallsAreLinearizable(t *testing.T) {
	t.Run("miniredis", func(t *testing.T) {
		r := redistest.Mini(t)
		linearizable(t, r, false, tick(t, r))
	})
	t.Run("redis-server", func(t *testing.T) { linearizable(t, redistest.Server(t), false, wallClock) })
	t.Run("OverFaultyConnections", func(t *testing.T) { linearizable(t, redistest.Server(t), true, wallClock) })
}

// clock returns two times, ms, between which the clock of Redis is.
type clock func() (low, high int64)

func wallClock() (low, high int64) {
	now := time.Now().UnixMilli()
	return now, now
}

// tick has the clock of a miniredis, which would go on within a script, stand still
// but for steps of about a millisecond.
func tick(t *testing.T, r *redistest.Redis) clock {
	var low, high atomic.Int64
	set := func(now time.Time) {
		now = now.Truncate(time.Millisecond) // as it counts what is left to a key
		high.Store(now.UnixMilli())
		r.Mini.SetTime(now)
		low.Store(now.UnixMilli())
	}
	set(time.Now())
	end := again(func() {
		<-time.After(time.Millisecond)
		set(time.Now())
	})
	t.Cleanup(end)
	return func() (int64, int64) { return low.Load(), high.Load() }
}

// linearizable makes histories of r and has porcupine judge them. Where the way is
// faulty, each client has one of its own, so that a fault is that of one call.
func linearizable(t *testing.T, r *redistest.Redis, faulty bool, now clock) {
	var counts tally
	counts.report(t)
	var ended int64 // holds that ended by themselves, as far as buys and extends tell
	clients := make([]linearClient, linearClients)
	shared := r.Client(t)
	for i := range clients {
		clients[i] = linearClient{t: t, number: i, redis: shared, now: now}
		if faulty {
			clients[i].proxy = redistest.NewProxy(t, r)
			clients[i].redis = r.Client(t, clients[i].proxy.Addr)
		}
	}
	// A fast machine may see no hold end, and a slow one hardly a call done or refused.
	proved := func() bool { return ended > 0 && counts.done.Load() >= 50 && counts.refused.Load() >= 50 }
	roundsUntil(t, 5, proved, func(n int) {
		counts.rounds.Add(1)
		opt := seatlock.Options{HoldTime: time.Duration(30+random(n).IntN(51)) * time.Millisecond, Timeout: patience}
		var shared *seatlock.Locker
		for i := range clients {
			c := &clients[i]
			if faulty {
				c.disturb(random(n, i, 1), &counts)
			}
			if shared == nil || faulty {
				var err error
				shared, err = seatlock.New(c.redis, opt)
				require.NoError(t, err)
			}
			c.locker = shared
		}
		var calling sync.WaitGroup
		histories := make([][]porcupine.Operation, linearClients)
		start := time.Now()
		for i := range clients {
			calling.Go(func() { histories[i] = clients[i].call(n, opt.HoldTime, start) })
		}
		calling.Wait()
		var all []porcupine.Operation
		for _, history := range histories {
			for _, op := range history {
				out := op.Output.(output)
				if !out.resent {
					counts.count(oracle.Call{Outcome: out.outcome})
				}
				for _, c := range out.conflicts {
					if c.Status == seatlock.Available {
						ended++
					}
				}
				all = append(all, op)
			}
		}
		requireLinearizable(t, all)
	})
}

// resent is how long a call takes at least that is sent a second time.
const resent = 5 * time.Millisecond

// linearClient is one who calls.
type linearClient struct {
	t      *testing.T
	number int
	redis  *redis.Client
	proxy  *redistest.Proxy // nil where there is none
	locker *seatlock.Locker
	now    clock
}

// disturb loses one request or reply. With more, what may have happened is too much to
// check.
func (c *linearClient) disturb(choice *rand.Rand, counts *tally) {
	lost := false
	c.proxy.Disturb(func(bool) redistest.Fault {
		if lost || choice.IntN(20) > 0 {
			return redistest.Fault{}
		}
		lost = true
		counts.faults.Add(1)
		return redistest.Fault{Lose: true}
	})
}

// call makes the calls of one event and returns what the client saw.
func (c *linearClient) call(n int, hold time.Duration, start time.Time) (history []porcupine.Operation) {
	choice := random(n, c.number)
	event, user := fmt.Sprint("linear", n), fmt.Sprint("user", c.number)
	var group []int
	calls := linearCalls
	if c.proxy != nil {
		calls /= 2
	}
	for range calls {
		op := []oracle.Op{oracle.Reserve, oracle.Buy, oracle.Extend, oracle.Release}[min(3, choice.IntN(40)/10)]
		if group == nil || choice.IntN(3) == 0 {
			op, group = oracle.Reserve, choice.Perm(seats)[:1+choice.IntN(3)]
		}
		if op == oracle.Buy && choice.IntN(4) > 0 {
			op = oracle.Extend // a sold seat is of no more interest
		}
		names := make([]string, len(group))
		for i, seat := range group {
			names[i] = seatName(seat)
		}
		lost := int64(0)
		if c.proxy != nil {
			lost = c.proxy.Lost.Load()
		}
		low, _ := c.now()
		sent := time.Since(start)
		var told seatlock.Hold
		var err error
		switch ctx := context.Background(); op {
		case oracle.Reserve:
			told, err = c.locker.Reserve(ctx, event, names, user)
		case oracle.Extend:
			told, err = c.locker.Extend(ctx, event, names, user)
		case oracle.Buy:
			err = c.locker.Buy(ctx, event, names, user)
		case oracle.Release:
			err = c.locker.Release(ctx, event, names, user)
		}
		answered := time.Since(start)
		_, high := c.now()
		back := answered
		out := output{answered: high}
		out.outcome, out.conflicts = outcome(c.t, err)
		if !told.Deadline.IsZero() {
			out.deadline = told.Deadline.UnixMilli()
			if told.ExpiresIn > 0 {
				out.now = told.Deadline.Add(-told.ExpiresIn).UnixMilli()
			}
		}
		switch out.outcome {
		case oracle.NotRun:
			continue
		case oracle.Unknown:
			back = time.Duration(never)
		}
		in := input{op: op, seats: group, user: user, sent: low, hold: hold.Milliseconds()}
		history = append(history, porcupine.Operation{ClientId: c.number, Call: int64(sent), Return: int64(back), Input: in, Output: out})
		// A call that took so long, and saw something lost, may have been sent before.
		if c.proxy != nil && c.proxy.Lost.Load() > lost && answered-sent > resent {
			history = append(history, porcupine.Operation{ClientId: c.number, Call: int64(sent), Return: int64(answered),
				Input: in, Output: output{outcome: oracle.Unknown, resent: true, answered: high}})
		}
		<-time.After(time.Duration(choice.IntN(int(hold / 2))))
	}
	return history
}

func requireLinearizable(t *testing.T, history []porcupine.Operation) {
	t.Helper()
	result, info := porcupine.CheckOperationsVerbose(seatModel(), history, patience)
	if result == porcupine.Ok {
		return
	}
	dir := artifacts(t)
	require.NoError(t, porcupine.VisualizePath(seatModel(), info, filepath.Join(dir, "history.html")))
	var lines []byte
	for _, op := range history {
		lines = fmt.Appendf(lines, "%+v\n", op)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "history.txt"), lines, 0o600))
	t.Fatalf("porcupine says %v; -seed %d; the history and its picture are in %s", result, *seed, dir)
}
