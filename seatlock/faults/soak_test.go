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

// usage is what the process has in use.
type usage struct{ heap, goroutines, descriptors float64 }

func measure(t *testing.T) usage {
	t.Helper()
	for range 2 { // what a sync.Pool has goes with the second
		runtime.GC()
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return usage{float64(memory.HeapAlloc), float64(runtime.NumGoroutine()), float64(len(files))}
}

// A crowd buys for long at 80 % of what the machine can do, and what the process has in
// use comes back to what it was in the first third, but for a margin and for what a pool
// of connections may have more at one time than at another.
func TestASoakLeavesNothingBehind(t *testing.T) {
	const margin, pool = 1.2, 20
	r := redistest.Server(t, "--appendonly", "yes", "--appendfsync", "always")
	all := lockers(t, 2, r)
	admin := r.Admin(t)
	var calibration tally

	start := time.Now()
	c := gather(t, 0, buyers, &calibration, nil, all...)
	c.awaitDone(2_000)
	c.stop()
	most := float64(calibration.calls.Load()) / time.Since(start).Seconds()
	c.requireNothingBroken(holdTime, admin)
	t.Logf("%.0f calls a second at most", most)

	var counts tally
	counts.report(t)
	length := time.Duration(float64(*budget) / 3)
	limit := rate.NewLimiter(rate.Limit(0.8*most), buyers)
	size := int64(200) // of a round
	if length > 0 {
		size = 3_000
	}
	start = time.Now()
	var busy time.Duration
	var seen []usage
	for n := 1; n <= 9 || time.Since(start) < length; n++ {
		begin := time.Now()
		c := gather(t, n, buyers, &counts, limit, all...)
		c.awaitDone(size)
		busy += time.Since(begin)
		c.requireNothingBroken(holdTime, admin)
		seen = append(seen, measure(t))
	}
	t.Logf("%.0f calls a second, in %v altogether", float64(counts.calls.Load())/busy.Seconds(), time.Since(start).Round(time.Second))
	third := len(seen) / 3
	first := median(seen[:third])
	var last usage
	require.Eventually(t, func() bool { // what is about to end is no leak
		last = measure(t)
		return last.heap <= margin*first.heap+1<<20 && last.goroutines <= margin*first.goroutines+pool && last.descriptors <= margin*first.descriptors+pool
	}, patience, 10*time.Millisecond, "in the first third %+v, in the end never less than that", first)
	t.Logf("in the first third %+v, in the end %+v", first, last)
}

// median is the median of each figure.
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
