package history

import (
	"cmp"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"booking/seatlock/oracle"
)

// newHistogram tells times from 1 µs to 10 min apart by a thousandth.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 600_000_000, 3) }

func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 1), 600_000_000))
}

func quantile(h *hdrhistogram.Histogram, percent float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(percent)) * time.Microsecond
}

// Latency is how long the answers of one kind took.
type Latency struct {
	Op                       oracle.Op
	Outcome                  oracle.Outcome
	Count                    int
	P50, P90, P99, P999, Max time.Duration
}

// Quantiles returns the Latency of any times.
func Quantiles(times func(yield func(time.Duration) bool)) Latency {
	h := newHistogram()
	for d := range times {
		record(h, d)
	}
	return latency(h)
}

func latency(h *hdrhistogram.Histogram) Latency {
	return Latency{Count: int(h.TotalCount()), P50: quantile(h, 50), P90: quantile(h, 90), P99: quantile(h, 99),
		P999: quantile(h, 99.9), Max: time.Duration(h.Max()) * time.Microsecond}
}

// order is how operations and outcomes are listed.
var order = map[string]int{"look": 1, "reserve": 2, "extend": 3, "buy": 4, "release": 5,
	"done": 1, "refused": 2, "not run": 3, "unknown": 4, "unexpected": 5}

// Latencies tells operations apart, and those who got what they asked for from
// those who did not.
func Latencies(calls []Call) []Latency {
	type key struct {
		op      oracle.Op
		outcome oracle.Outcome
	}
	histograms := map[key]*hdrhistogram.Histogram{}
	for i := range calls {
		k := key{calls[i].Op, calls[i].Kind()}
		if histograms[k] == nil {
			histograms[k] = newHistogram()
		}
		record(histograms[k], calls[i].Latency())
	}
	var all []Latency
	for k, h := range histograms {
		l := latency(h)
		l.Op, l.Outcome = k.op, k.outcome
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b Latency) int {
		return cmp.Or(order[string(a.Op)]-order[string(b.Op)], order[string(a.Outcome)]-order[string(b.Outcome)])
	})
	return all
}

// Second is what was answered within one second of the run.
type Second struct {
	Outcomes map[oracle.Outcome]int
	Latency
}

// Seconds divides the calls by when they were answered.
func Seconds(calls []Call) []Second {
	var seconds []Second
	var histograms []*hdrhistogram.Histogram
	for i := range calls {
		at := int(calls[i].Answered / time.Second)
		for len(seconds) <= at {
			seconds = append(seconds, Second{Outcomes: map[oracle.Outcome]int{}})
			histograms = append(histograms, hdrhistogram.New(1, 600_000_000, 2))
		}
		seconds[at].Outcomes[calls[i].Kind()]++
		record(histograms[at], calls[i].Latency())
	}
	for i, h := range histograms {
		seconds[i].Latency = latency(h)
	}
	return seconds
}
