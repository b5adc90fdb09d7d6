// Package readiness checks whether the process can serve, and answers the probes.
//
// A process is ready once it has reached Redis, if Redis is configured safely, and until it drains.
// An outage of Redis does not make it unready: all processes have it at the same time. So they stay
// behind their load balancer, answer 503 at once, and serve again the moment that Redis does. A
// Redis that answers but is not safe, or refuses the password, makes the process unready.
package readiness

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// How long Run waits after a check.
const (
	readyInterval   = time.Second
	unreadyInterval = 100 * time.Millisecond
)

// checkTimeout limits a check. It does not depend on REQUEST_TIMEOUT.
const checkTimeout = time.Second

var errNotChecked = errors.New("not checked yet")

// Monitor knows whether the process can serve.
type Monitor struct {
	check    func(context.Context) error
	fault    atomic.Pointer[error] // the last check's error
	ready    atomic.Bool
	drain    func()
	draining chan struct{} // closed by drain
}

// New returns a Monitor that calls check. check returns nil if the process can serve, and
// ends when its context does.
func New(check func(context.Context) error) *Monitor {
	m := &Monitor{check: check, draining: make(chan struct{})}
	m.drain = sync.OnceFunc(func() { close(m.draining) })
	m.fault.Store(&errNotChecked)
	return m
}

// Run checks until ctx ends, and logs each change.
func (m *Monitor) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		err := m.checkOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		previous := *m.fault.Swap(&err)
		if err == nil || !isOutage(err) {
			m.ready.Store(err == nil)
		}
		switch {
		case err == nil && previous != nil:
			slog.InfoContext(ctx, "ready: Redis answers and is configured safely")
		case err != nil && !sameFault(err, previous) && m.Ready():
			slog.WarnContext(ctx, "calls are answered 503: "+advice(err), "error", err)
		case err != nil && !sameFault(err, previous):
			slog.WarnContext(ctx, "not ready: "+advice(err), "error", err)
		}
		if err == nil {
			timer.Reset(readyInterval)
		} else {
			timer.Reset(unreadyInterval)
		}
	}
}

func (m *Monitor) checkOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return m.check(ctx)
}

// outages are the errors of a Redis that answers but can't serve yet, by their first word.
var outages = []string{"LOADING", "MASTERDOWN", "CLUSTERDOWN", "READONLY", "BUSY", "TRYAGAIN", "MOVED", "ASK"}

// isOutage reports whether err says that Redis can't serve now, and not that its settings are wrong.
func isOutage(err error) bool {
	var reply redis.Error
	switch {
	case errors.Is(err, seatlock.ErrUnsafe):
		return false
	case errors.As(err, &reply):
		word, _, _ := strings.Cut(reply.Error(), " ")
		return slices.Contains(outages, word) || redis.IsMaxClientsError(reply)
	}
	return true
}

// sameFault reports whether the operator corrects err like the previous error, which has
// been logged.
func sameFault(err, previous error) bool {
	if previous == nil || advice(err) != advice(previous) || errors.Is(previous, errNotChecked) {
		return false
	}
	return !errors.Is(err, seatlock.ErrUnsafe) || err.Error() == previous.Error()
}

// advice tells the operator how to correct a fault.
func advice(err error) string {
	var reply redis.Error
	switch {
	case errors.Is(err, seatlock.ErrUnsafe):
		return "Redis answers but can lose seats; do what the error says"
	case errors.As(err, &reply):
		return "Redis refuses; correct REDIS_URL, REDIS_MODE or what its user may do"
	}
	return "Redis does not answer; start it, or correct REDIS_URL and REDIS_MODE"
}

// Ready reports whether a check has succeeded, and none since found that Redis is not configured
// safely. It ignores Drain.
func (m *Monitor) Ready() bool { return m.ready.Load() }

// Up reports whether the last check succeeded.
func (m *Monitor) Up() bool { return *m.fault.Load() == nil }

// Drain makes the process unready until it ends.
func (m *Monitor) Drain() { m.drain() }

// Draining reports whether Drain was called.
func (m *Monitor) Draining() bool {
	select {
	case <-m.draining:
		return true
	default:
		return false
	}
}

// DrainStarted returns the channel that Drain closes.
func (m *Monitor) DrainStarted() <-chan struct{} { return m.draining }

// probeStatus is the response to a probe.
type probeStatus struct {
	Status string `json:"status"`
}

// Healthz answers that the process is up. It checks nothing.
func (m *Monitor) Healthz() http.Handler {
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, _ *http.Request) error {
		return api.WriteJSON(w, probeStatus{Status: "up"})
	})
}

// Readyz answers whether the process can serve. A process that drains can't.
func (m *Monitor) Readyz() http.Handler {
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, _ *http.Request) error {
		if m.Draining() {
			return api.NewProblem(api.CodeDraining, "The process is shutting down.")
		}
		if !m.Ready() {
			return api.NewProblem(api.CodeUnavailable, "Redis has not answered yet, or is not configured safely; the log says what to do.")
		}
		return api.WriteJSON(w, probeStatus{Status: "ready"})
	})
}
