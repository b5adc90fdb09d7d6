package client

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"booking/seatlock/oracle"
)

// SeatMap is the Op of a call for the seat map. The oracle does not know it, because
// it changes nothing.
const SeatMap oracle.Op = "seatmap"

// Unexpected is the answer that no simulated buyer should get: a redirect, or a 4xx
// other than a refusal.
const Unexpected oracle.Outcome = "unexpected"

// Call is a call and its answer.
type Call struct {
	oracle.Call
	Due    time.Duration // when the buyer wanted to send it; never after Sent
	Status int           // of HTTP; 0 without an answer
	Code   string        // of the problem; empty for a success

	Best     *BestRequest // of a call for the best available seats; otherwise nil
	Adjacent bool         // what the answer to that says
}

// Latency returns how long the buyer waited. It counts from when the call was due,
// not from when it was sent, so a service that blocks the sender looks slow, too.
func (c *Call) Latency() time.Duration { return c.Answered - c.Due }

// Answer returns the Outcome, or Unexpected.
func (c *Call) Answer() oracle.Outcome {
	if c.Outcome == oracle.NotRun && c.Status != 0 && c.Status < 500 {
		return Unexpected
	}
	return c.Outcome
}

// Log records calls. It is safe for concurrent use.
type Log struct {
	mu        sync.Mutex
	calls     []Call
	first     int // of the calls in the window
	latencies *hdrhistogram.Histogram
}

func newLog() *Log { return &Log{latencies: newHistogram()} }

func (l *Log) add(c Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, c)
	record(l.latencies, c.Latency())
}

// Calls returns the calls so far, in the order of their answers.
func (l *Log) Calls() []Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

// Window sums up the calls that were answered since the previous Window.
type Window struct {
	Calls, Refusals, Errors int
	P50, P99                time.Duration
}

// Window returns the present window, and starts the next.
func (l *Log) Window() Window {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := Window{Calls: len(l.calls) - l.first, P50: quantile(l.latencies, 50), P99: quantile(l.latencies, 99)}
	for i := l.first; i < len(l.calls); i++ {
		switch l.calls[i].Answer() {
		case oracle.Refused:
			w.Refusals++
		case oracle.Unknown, oracle.NotRun, Unexpected:
			w.Errors++
		}
	}
	l.first = len(l.calls)
	l.latencies.Reset()
	return w
}
