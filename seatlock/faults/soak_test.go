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
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return usage{float64(memory.HeapAlloc), float64(runtime.NumGoroutine()), float64(len(files))}
}

// A crowd buys for long at 80 % of what the machine can do, and what the process has in
// use stays as it is: no more in the last third than in the first, but for a margin.
func TestASoakLeavesNothingBehind(t *testing.T) {
	const margin = 1.2
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
	first, last := median(seen[:third]), median(seen[len(seen)-third:])
	t.Logf("in the first third %+v, in the last %+v", first, last)
	require.LessOrEqual(t, last.heap, margin*first.heap+1<<20, "the heap grows")
	require.LessOrEqual(t, last.goroutines, margin*first.goroutines, "goroutines stay behind")
	require.LessOrEqual(t, last.descriptors, margin*first.descriptors, "descriptors stay open")
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
