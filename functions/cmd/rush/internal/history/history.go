// Package history keeps every request of a run with its answer, and tells how long
// answers took.
package history

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"booking/seatlock/oracle"
)

// Look is the Op of a call for the seat map, which changes nothing.
const Look oracle.Op = "look"

// Unexpected is the Outcome of an answer that no buyer of these should get.
const Unexpected oracle.Outcome = "unexpected"

// Call is one request and its answer.
type Call struct {
	oracle.Call
	Due    time.Duration // when the person wanted to send it; Sent is never earlier
	Status int           // of HTTP; 0 where no answer came
	Code   string        // of the problem; "" for a success
}

// Latency is what the person waited: from when the request was due, not from when
// it was sent, so that a service which holds up the sender can't hide.
func (c *Call) Latency() time.Duration { return c.Answered - c.Due }

// Kind is the Outcome, with Unexpected told apart.
func (c *Call) Kind() oracle.Outcome {
	if c.Outcome == oracle.NotRun && c.Status != 0 && c.Status < 500 {
		return Unexpected
	}
	return c.Outcome
}

// Log notes calls; any number of goroutines may.
type Log struct {
	mu     sync.Mutex
	calls  []Call
	since  int // where the window began
	window *hdrhistogram.Histogram
}

// New returns an empty Log.
func New() *Log { return &Log{window: newHistogram()} }

// Add notes a call.
func (l *Log) Add(c Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, c)
	record(l.window, c.Latency())
}

// Calls returns all of them, as they were answered. Nothing may be added after.
func (l *Log) Calls() []Call { return l.calls }

// Window is what happened since the last one.
type Window struct {
	Requests, Conflicts, Errors int
	P50, P99                    time.Duration
}

// Window ends the present window and tells about it.
func (l *Log) Window() Window {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := Window{Requests: len(l.calls) - l.since, P50: quantile(l.window, 50), P99: quantile(l.window, 99)}
	for i := l.since; i < len(l.calls); i++ {
		switch l.calls[i].Kind() {
		case oracle.Refused:
			w.Conflicts++
		case oracle.Unknown, oracle.NotRun, Unexpected:
			w.Errors++
		}
	}
	l.since = len(l.calls)
	l.window.Reset()
	return w
}
