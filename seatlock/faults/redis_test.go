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

// lockers returns n lockers over r. Each has its own client, as in separate processes.
func lockers(t *testing.T, n int, r *redistest.Redis) []*seatlock.Locker {
	t.Helper()
	all := make([]*seatlock.Locker, n)
	for i := range all {
		var err error
		all[i], err = seatlock.New(r.Client(t), seatlock.Options{HoldTime: holdTime, Timeout: waitLimit})
		require.NoError(t, err)
	}
	return all
}

// repeat calls act in a loop until stop is called. stop waits for the last call.
func repeat(act func()) (stop func()) {
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

// Nothing fails, but callers buy under two orders at once, exchange and return what they bought, and
// again when others have bought it. The load goes on until it would find each mutation of package
// mutation.
func TestLoad_KeepsPromises(t *testing.T) {
	r := redistest.Server(t)
	all := lockers(t, 2, r)
	var counts counters
	counts.report(t)
	proved := func() bool {
		return counts.returns.Load() >= 40 && counts.otherBuys.Load() >= 10 && counts.otherReturns.Load() >= 10 &&
			counts.exchanges.Load() >= 20 && counts.otherExchanges.Load() >= 10 && counts.takenExchanges.Load() >= 10
	}
	roundsUntil(t, 1, proved, func(n int) {
		l := startLoad(t, n, buyers, &counts, nil, all...)
		l.awaitDone(500)
		l.requireNoFindings(holdTime, r.Admin(t))
	})
	require.Zero(t, counts.outages(), "calls failed")
}

// Redis is killed under load, stays down until a call has failed, and is restarted on the
// files that it left.
func TestRedisCrash_LosesNoSale(t *testing.T) {
	r := redistest.Server(t, "--appendonly", "yes", "--appendfsync", "always")
	all := lockers(t, 2, r)
	var counts counters
	counts.report(t)
	rounds(t, 10, func(n int) {
		l := startLoad(t, n, buyers, &counts, nil, all...)
		l.awaitDone(int64(100 + random(n).IntN(200)))
		before := counts.outages()
		r.Kill(t)
		counts.faults.Add(1)
		require.Eventually(t, func() bool { return counts.outages() > before }, waitLimit, time.Millisecond, "no call fails")
		r.Start(t)
		l.awaitDone(100)
		l.requireNoFindings(holdTime, r.Admin(t))
	})
}

// Scripts are flushed all the time, and no caller notices.
func TestScriptFlush_CausesNoOutage(t *testing.T) {
	r := redistest.Server(t)
	all := lockers(t, 2, r)
	var counts counters
	counts.report(t)
	admin := r.Admin(t)
	rounds(t, 1, func(n int) {
		l := startLoad(t, n, buyers, &counts, nil, all...)
		stopFlushing := repeat(func() {
			if err := admin.ScriptFlush(context.Background()).Err(); err != nil {
				t.Errorf("script flush: %v", err)
			}
			counts.faults.Add(1)
		})
		l.awaitDone(1_500)
		stopFlushing()
		l.requireNoFindings(holdTime, admin)
	})
	require.Zero(t, counts.unknown.Load(), "calls failed")
	require.Zero(t, counts.notRun.Load(), "calls failed")
}

// Memory is full from time to time, each time until a call has failed. A call that Redis
// rejects for that has not run.
func TestFullMemory_RejectsWholeGroupsAndKeepsSales(t *testing.T) {
	r := redistest.Server(t, "--maxmemory-policy", "noeviction")
	all := lockers(t, 2, r)
	var counts counters
	counts.report(t)
	admin := r.Admin(t)
	memory := func(limit string) {
		require.NoError(t, admin.ConfigSet(t.Context(), "maxmemory", limit).Err(), limit)
	}
	rounds(t, 2, func(n int) {
		l := startLoad(t, n, buyers, &counts, nil, all...)
		for range 20 {
			before := counts.notRun.Load()
			memory("1")
			counts.faults.Add(1)
			require.Eventually(t, func() bool { return counts.notRun.Load() > before }, waitLimit, time.Millisecond, "no call fails")
			memory("0")
			l.awaitDone(50)
		}
		l.requireNoFindings(holdTime, admin)
	})
	require.Zero(t, counts.unknown.Load(), "a call that Redis rejected is reported as unknown")
}
