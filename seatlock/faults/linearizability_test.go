package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
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
	linearCalls   = 25 // of each client and event
)

// Eight clients call for six seats, of the public and of two channels. Holds are so short that
// they expire all the time. In every second round the sale begins and ends meanwhile. Each call
// must take effect at one time between its start and its return.
func TestLocker_IsLinearizable(t *testing.T) {
	t.Run("miniredis", func(t *testing.T) {
		r := redistest.Mini(t)
		linearizable(t, r, false, tick(t, r))
	})
	t.Run("redis-server", func(t *testing.T) { linearizable(t, redistest.Server(t), false, wallClock) })
	t.Run("FaultyConnections", func(t *testing.T) { linearizable(t, redistest.Server(t), true, wallClock) })
}

// clock returns bounds of the clock of Redis, in ms.
type clock func() (low, high int64)

func wallClock() (low, high int64) {
	now := time.Now().UnixMilli()
	return now, now
}

// tick runs the clock of a miniredis in steps of about a millisecond. The clock of a real
// Redis also does not advance while a script runs.
func tick(t *testing.T, r *redistest.Redis) clock {
	var low, high atomic.Int64
	set := func(now time.Time) {
		now = now.Truncate(time.Millisecond) // the unit of TTLs
		high.Store(now.UnixMilli())
		r.Mini.SetTime(now)
		low.Store(now.UnixMilli())
	}
	set(time.Now())
	stop := repeat(func() {
		<-time.After(time.Millisecond)
		set(time.Now())
	})
	t.Cleanup(stop)
	return func() (int64, int64) { return low.Load(), high.Load() }
}

// linearizable makes histories with r and checks them with porcupine. If faulty, each
// client has its own faulty connection, and a fault affects one call.
func linearizable(t *testing.T, r *redistest.Redis, faulty bool, now clock) {
	var counts counters
	counts.report(t)
	var expired, blocked, notOnSale int64 // holds that buys and extends found expired; refusals
	var returned, exchanged int64         // sales
	clients := make([]linearClient, linearClients)
	plain := r.Client(t)
	for i := range clients {
		clients[i] = linearClient{t: t, number: i, redis: plain, now: now}
		if faulty {
			clients[i].proxy = redistest.NewProxy(t, r)
			clients[i].redis = r.Client(t, clients[i].proxy.Addr)
		}
	}
	// On a fast machine no hold may expire. On a slow one few calls may be done or refused.
	proved := func() bool {
		return expired > 0 && blocked > 0 && notOnSale > 0 && returned > 0 && exchanged > 0 && counts.done.Load() >= 50 && counts.refused.Load() >= 50
	}
	roundsUntil(t, 5, proved, func(n int) {
		counts.rounds.Add(1)
		opt := seatlock.Options{HoldTime: time.Duration(30+random(n).IntN(51)) * time.Millisecond, Timeout: waitLimit}
		var shared *seatlock.Locker
		for i := range clients {
			c := &clients[i]
			if faulty {
				c.disturb(random(n, i, 1), &counts)
			}
			if shared == nil || faulty {
				shared = direct(t, c.redis, opt)
			}
			c.locker = shared
		}
		window := [2]int64{0, never}
		if n%2 == 1 {
			_, high := now()
			window = [2]int64{high + 30, high + 250}
			settings := seatlock.Settings{OnSale: time.UnixMilli(window[0]), OffSale: time.UnixMilli(window[1])}
			_, _, err := direct(t, plain, opt).PutEvent(t.Context(), linearEvent(n), seatlock.Put{Settings: settings})
			require.NoError(t, err)
		}
		var calling sync.WaitGroup
		histories := make([][]porcupine.Operation, linearClients)
		start := time.Now()
		for i := range clients {
			calling.Go(func() { histories[i] = clients[i].call(n, opt.HoldTime, window, start) })
		}
		calling.Wait()
		var all []porcupine.Operation
		for _, history := range histories {
			back, moved := countEnds(history)
			returned, exchanged = returned+back, exchanged+moved
			for _, op := range history {
				out := op.Output.(output)
				if !out.retried {
					counts.countCall(oracle.Call{Outcome: out.outcome})
				}
				if out.notOnSale {
					notOnSale++
				}
				for _, c := range out.conflicts {
					switch in := op.Input.(input); {
					case c.Status == seatlock.Blocked:
						blocked++
					case c.Status == seatlock.Available && in.op != oracle.Reserve:
						expired++
					}
				}
				all = append(all, op)
			}
		}
		requireLinearizable(t, all)
	})
}

// countEnds counts the sales of a client that its own returns and exchanges have ended.
func countEnds(history []porcupine.Operation) (returned, exchanged int64) {
	var bought input
	for _, op := range history {
		in := op.Input.(input)
		same := in.order == bought.order && slices.Equal(in.seats, bought.seats)
		switch done := op.Output.(output).outcome == oracle.Done; {
		case done && in.op == oracle.Buy:
			bought = in
		case done && same && in.op == oracle.Return:
			returned, bought = returned+1, input{}
		case done && same && in.op == oracle.Exchange:
			exchanged, bought = exchanged+1, input{}
		}
	}
	return returned, exchanged
}

// seatNames names seats.
func seatNames(numbers []int) []string {
	names := make([]string, len(numbers))
	for i, n := range numbers {
		names[i] = seatName(n)
	}
	return names
}

// direct returns a locker over client.
func direct(t *testing.T, client *redis.Client, opt seatlock.Options) *seatlock.Locker {
	t.Helper()
	locker, err := seatlock.New(client, opt)
	require.NoError(t, err)
	return locker
}

// linearEvent is the event of a round.
func linearEvent(n int) string { return fmt.Sprint("linear", n) }

// minRetryTime is the shortest time that a call with a retry takes.
const minRetryTime = 5 * time.Millisecond

// linearClient is a concurrent caller.
type linearClient struct {
	t      *testing.T
	number int
	redis  *redis.Client
	proxy  *redistest.Proxy // nil without faults
	locker *seatlock.Locker
	now    clock
}

// disturb loses one request or reply. With more, the checker has too many possibilities.
func (c *linearClient) disturb(choice *rand.Rand, counts *counters) {
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

// call makes the client's calls for one event, which is on sale within window, and returns
// their history.
func (c *linearClient) call(n int, holdTime time.Duration, window [2]int64, start time.Time) (history []porcupine.Operation) {
	choice := random(n, c.number)
	event, user := linearEvent(n), fmt.Sprint("user", c.number)
	var group []int
	var bought string // the order under which the client has bought group
	calls := linearCalls
	if c.proxy != nil {
		calls /= 2
	}
	for range calls {
		op := []oracle.Op{oracle.Reserve, oracle.Buy, oracle.Extend, oracle.Release, oracle.Return, oracle.Exchange, block, unblock}[choice.IntN(8)]
		switch {
		case bought != "" && choice.IntN(4) > 0:
			op = []oracle.Op{oracle.Return, oracle.Exchange}[choice.IntN(2)]
		case group == nil || choice.IntN(3) == 0:
			op, group, bought = oracle.Reserve, choice.Perm(seats)[:1+choice.IntN(3)], ""
		case op == oracle.Buy && choice.IntN(2) == 0:
			op = oracle.Extend // keep some seats unsold
		}
		channel := ""
		if op == block || op == unblock || op == oracle.Reserve && choice.IntN(2) == 0 {
			channel = []string{"house", "house", "house", "sponsor"}[choice.IntN(4)]
		}
		order := ""
		if op == oracle.Buy || op == oracle.Return || op == oracle.Exchange {
			order = []string{"o1", "o1", "o2"}[choice.IntN(3)]
		}
		var to []int
		if op == oracle.Exchange {
			to = slices.DeleteFunc(choice.Perm(seats), func(seat int) bool { return slices.Contains(group, seat) })[:len(group)]
		}
		lost := int64(0)
		if c.proxy != nil {
			lost = c.proxy.Lost.Load()
		}
		low, _ := c.now()
		sent := time.Since(start)
		hold, err := callChannel(context.Background(), c.locker, oracle.Call{Op: op, Event: event, Seats: seatNames(group), To: seatNames(to), User: user, Order: order}, channel)
		answered := time.Since(start)
		_, high := c.now()
		returned := answered
		switch {
		case err == nil && op == oracle.Buy:
			bought = order
		case err == nil && order == bought: // a return or an exchange
			bought = ""
		}
		out := output{answered: high}
		out.outcome, out.conflicts = outcome(c.t, err)
		out.notOnSale = errors.Is(err, seatlock.ErrNotOnSale)
		if !hold.Deadline.IsZero() {
			out.deadline = hold.Deadline.UnixMilli()
			if hold.ExpiresIn > 0 {
				out.now = hold.Deadline.Add(-hold.ExpiresIn).UnixMilli()
			}
		}
		switch out.outcome {
		case oracle.NotRun:
			continue
		case oracle.Unknown:
			returned = time.Duration(never)
		}
		in := input{op: op, seats: group, to: to, user: user, order: order, channel: channel, sent: low, hold: holdTime.Milliseconds(), onSale: window[0], offSale: window[1]}
		history = append(history, porcupine.Operation{ClientId: c.number, Call: int64(sent), Return: int64(returned), Input: in, Output: out})
		// If something was lost and the call took long enough, an earlier attempt may have run.
		if c.proxy != nil && c.proxy.Lost.Load() > lost && answered-sent > minRetryTime {
			history = append(history, porcupine.Operation{ClientId: c.number, Call: int64(sent), Return: int64(answered),
				Input: in, Output: output{outcome: oracle.Unknown, retried: true, answered: high}})
		}
		<-time.After(time.Duration(choice.IntN(int(holdTime / 2))))
	}
	return history
}

func requireLinearizable(t *testing.T, history []porcupine.Operation) {
	t.Helper()
	result, info := porcupine.CheckOperationsVerbose(seatModel(), history, waitLimit)
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
	t.Fatalf("not linearizable: porcupine says %v; -seed %d; the history and its picture are in %s", result, *seed, dir)
}
