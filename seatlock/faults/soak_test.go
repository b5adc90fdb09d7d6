package faults_test

import (
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"booking/seatlock/redistest"
)

// usage has the resources that the process uses: bytes, and numbers of the others.
type usage struct{ heap, goroutines, descriptors float64 }

func measure(t *testing.T) usage {
	t.Helper()
	for range 2 { // a sync.Pool is empty after the second
		runtime.GC()
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return usage{float64(memory.HeapAlloc), float64(runtime.NumGoroutine()), float64(len(files))}
}

// A load runs for long at 80 % of the machine's capacity. In the end the process must use
// no more than in the first third, plus a margin, plus pool connections.
func TestSoak_LeaksNothing(t *testing.T) {
	const margin, pool = 1.2, 20
	r := redistest.Server(t, "--appendonly", "yes", "--appendfsync", "always")
	all := lockers(t, 2, r)
	admin := r.Admin(t)
	var calibration counters

	start := time.Now()
	l := startLoad(t, 0, buyers, &calibration, nil, all...)
	l.awaitDone(2_000)
	l.cancel()
	capacity := float64(calibration.calls.Load()) / time.Since(start).Seconds()
	l.requireNoFindings(holdTime, admin)
	t.Logf("capacity: %.0f calls/s", capacity)

	var counts counters
	counts.report(t)
	length := time.Duration(float64(*budget) / 3)
	limit := rate.NewLimiter(rate.Limit(0.8*capacity), buyers)
	size := int64(200) // calls done a round
	if length > 0 {
		size = 3_000
	}
	start = time.Now()
	var busy time.Duration
	var seen []usage
	for n := 1; n <= 9 || time.Since(start) < length; n++ {
		begin := time.Now()
		l := startLoad(t, n, buyers, &counts, limit, all...)
		l.awaitDone(size)
		busy += time.Since(begin)
		l.requireNoFindings(holdTime, admin)
		seen = append(seen, measure(t))
	}
	t.Logf("%.0f calls/s for %v", float64(counts.calls.Load())/busy.Seconds(), time.Since(start).Round(time.Second))
	third := len(seen) / 3
	first := median(seen[:third])
	var last usage
	require.Eventually(t, func() bool { // what still ends by itself is no leak
		last = measure(t)
		return last.heap <= margin*first.heap+1<<20 && last.goroutines <= margin*first.goroutines+pool && last.descriptors <= margin*first.descriptors+pool
	}, waitLimit, 10*time.Millisecond, "usage stays high; in the first third %+v", first)
	t.Logf("usage: in the first third %+v, in the end %+v", first, last)
}

// median returns the median of each resource.
func median(all []usage) usage {
	middle := func(figure func(usage) float64) float64 {
		figures := make([]float64, len(all))
		for i, u := range all {
			figures[i] = figure(u)
		}
		slices.Sort(figures)
		return figures[len(figures)/2]
	}
	return usage{
		middle(func(u usage) float64 { return u.heap }),
		middle(func(u usage) float64 { return u.goroutines }),
		middle(func(u usage) float64 { return u.descriptors }),
	}
}
