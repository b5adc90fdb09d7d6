package client

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"booking/seatlock/oracle"
)

// newHistogram returns a histogram of 1 µs to 10 min, with three significant digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 600_000_000, 3) }

func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 1), 600_000_000))
}

func quantile(h *hdrhistogram.Histogram, percent float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(percent)) * time.Microsecond
}

// Latency is the distribution of some times.
type Latency struct {
	Count                    int
	P50, P90, P99, P999, Max time.Duration
}

func newLatency(times iter.Seq[time.Duration]) Latency {
	h := newHistogram()
	for d := range times {
		record(h, d)
	}
	return summarize(h)
}

func summarize(h *hdrhistogram.Histogram) Latency {
	return Latency{Count: int(h.TotalCount()), P50: quantile(h, 50), P90: quantile(h, 90), P99: quantile(h, 99),
		P999: quantile(h, 99.9), Max: time.Duration(h.Max()) * time.Microsecond}
}

// AnswerLatency is the latency of the calls of one Op that got one answer.
type AnswerLatency struct {
	Op     oracle.Op
	Answer oracle.Outcome
	Latency
}

// The order in which operations and answers are listed.
var (
	operations = []oracle.Op{SeatMap, oracle.Reserve, Best, oracle.Extend, oracle.Buy, oracle.Release, oracle.Return, oracle.Exchange}
	answers    = []oracle.Outcome{oracle.Done, oracle.Refused, oracle.NotRun, oracle.Unknown, Unexpected}
)

// ByAnswer returns the latencies of calls for each operation and answer.
func ByAnswer(calls []Call) []AnswerLatency {
	type key struct {
		op     oracle.Op
		answer oracle.Outcome
	}
	histograms := map[key]*hdrhistogram.Histogram{}
	for i := range calls {
		k := key{calls[i].Op, calls[i].Answer()}
		if histograms[k] == nil {
			histograms[k] = newHistogram()
		}
		record(histograms[k], calls[i].Latency())
	}
	var all []AnswerLatency
	for k, h := range histograms {
		all = append(all, AnswerLatency{k.op, k.answer, summarize(h)})
	}
	slices.SortFunc(all, func(a, b AnswerLatency) int {
		return cmp.Or(slices.Index(operations, a.Op)-slices.Index(operations, b.Op), slices.Index(answers, a.Answer)-slices.Index(answers, b.Answer))
	})
	return all
}

// Second sums up the calls that were answered within one second.
type Second struct {
	Answers map[oracle.Outcome]int
	Latency
}

// BySecond returns a Second for each second of the run.
func BySecond(calls []Call) []Second {
	var seconds []Second
	var histograms []*hdrhistogram.Histogram
	for i := range calls {
		at := int(calls[i].Answered / time.Second)
		for len(seconds) <= at {
			seconds = append(seconds, Second{Answers: map[oracle.Outcome]int{}})
			histograms = append(histograms, hdrhistogram.New(1, 600_000_000, 2))
		}
		seconds[at].Answers[calls[i].Answer()]++
		record(histograms[at], calls[i].Latency())
	}
	for i, h := range histograms {
		seconds[i].Latency = summarize(h)
	}
	return seconds
}
