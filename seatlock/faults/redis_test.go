package faults_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

const buyers = 16

// lockers returns n lockers over r, each with a client of its own as two processes
// have; addr may stand in for that of r.
func lockers(t *testing.T, n int, r *redistest.Redis, addr ...string) []*seatlock.Locker {
	t.Helper()
	all := make([]*seatlock.Locker, n)
	for i := range all {
		var err error
		all[i], err = seatlock.New(r.Client(t, addr...), seatlock.Options{HoldTime: holdTime, Timeout: patience})
		require.NoError(t, err)
	}
	return all
}

// again calls act without pause until the function that it returns is called, which
// waits for the last.
func again(act func()) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var acting sync.WaitGroup
	acting.Go(func() {
		for ctx.Err() == nil {
			act()
		}
	})
	return func() {
		cancel()
		acting.Wait()
	}
}

// Redis is killed while a crowd buys, stays down until a call has met that, and is
// started again with what it had on its disk.
func TestACrashOfRedisLosesNoSale(t *testing.T) {
	r := redistest.Server(t, "--appendonly", "yes", "--appendfsync", "always")
	all := lockers(t, 2, r)
	var counts tally
	counts.report(t)
	rounds(t, 10, func(n int) {
		c := gather(t, n, buyers, &counts, nil, all...)
		c.awaitDone(int64(100 + random(n).IntN(200)))
		before := counts.unanswered()
		r.Kill(t)
		counts.faults.Add(1)
		require.Eventually(t, func() bool { return counts.unanswered() > before }, patience, time.Millisecond, "no call meets the crash")
		r.Start(t)
		c.awaitDone(100)
		c.requireNothingBroken(holdTime, r.Admin(t))
	})
}

// Redis forgets its scripts all the time, and no caller notices.
func TestForgottenScriptsAreNoOutage(t *testing.T) {
	r := redistest.Server(t)
	all := lockers(t, 2, r)
	var counts tally
	counts.report(t)
	admin := r.Admin(t)
	rounds(t, 1, func(n int) {
		c := gather(t, n, buyers, &counts, nil, all...)
		end := again(func() {
			if err := admin.ScriptFlush(context.Background()).Err(); err != nil {
				t.Errorf("script flush: %v", err)
			}
			counts.faults.Add(1)
		})
		c.awaitDone(1_500)
		end()
		c.requireNothingBroken(holdTime, admin)
	})
	require.Zero(t, counts.unknown.Load(), "calls were not answered")
	require.Zero(t, counts.notRun.Load(), "calls were not answered")
}

// Memory is full every now and then, each time until a call has met that. What Redis
// refuses then has not run.
func TestFullMemoryRefusesWholeGroupsAndKeepsSales(t *testing.T) {
	r := redistest.Server(t, "--maxmemory-policy", "noeviction")
	all := lockers(t, 2, r)
	var counts tally
	counts.report(t)
	admin := r.Admin(t)
	memory := func(limit string) {
		require.NoError(t, admin.ConfigSet(t.Context(), "maxmemory", limit).Err(), limit)
	}
	rounds(t, 2, func(n int) {
		c := gather(t, n, buyers, &counts, nil, all...)
		for range 20 {
			before := counts.notRun.Load()
			memory("1")
			counts.faults.Add(1)
			require.Eventually(t, func() bool { return counts.notRun.Load() > before }, patience, time.Millisecond, "no call meets full memory")
			memory("0")
			c.awaitDone(50)
		}
		c.requireNothingBroken(holdTime, admin)
	})
	require.Zero(t, counts.unknown.Load(), "a refusal of Redis was not taken for one")
}
