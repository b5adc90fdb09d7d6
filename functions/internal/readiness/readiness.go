// Package readiness watches whether the process can serve, and answers the
// probes of whoever runs it.
package readiness

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// How long after a check the next one starts.
const (
	whileReady   = time.Second
	whileUnready = 100 * time.Millisecond
)

// checkTimeout is how long a check may take, whatever requests may.
const checkTimeout = time.Second

var errNotChecked = errors.New("not checked yet")

// Monitor knows whether the process can serve.
type Monitor struct {
	check    func(context.Context) error
	fault    atomic.Pointer[error] // what the last check said
	drain    func()                // once
	draining chan struct{}
}

// New returns a Monitor that asks check, which returns nil where all is well and
// ends by itself.
func New(check func(context.Context) error) *Monitor {
	m := &Monitor{check: check, draining: make(chan struct{})}
	m.drain = sync.OnceFunc(func() { close(m.draining) })
	m.fault.Store(&errNotChecked)
	return m
}

// Run checks again and again until ctx ends, and logs each change.
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
		was := *m.fault.Swap(&err)
		switch {
		case err == nil && was != nil:
			slog.InfoContext(ctx, "ready: Redis answers and is set up safely")
		case err != nil && !alike(err, was):
			slog.WarnContext(ctx, "not ready: "+advice(err), "error", err)
		}
		if err == nil {
			timer.Reset(whileReady)
		} else {
			timer.Reset(whileUnready)
		}
	}
}

func (m *Monitor) checkOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return m.check(ctx)
}

// alike reports whether two faults ask the operator for the same.
func alike(a, b error) bool {
	if b == nil || advice(a) != advice(b) || errors.Is(b, errNotChecked) {
		return false
	}
	return !errors.Is(a, seatlock.ErrUnsafe) || a.Error() == b.Error()
}

// advice says what an operator does about a fault.
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

// Ready reports whether the last check found all well, draining or not.
func (m *Monitor) Ready() bool { return *m.fault.Load() == nil }

// Drain makes the process unready for good.
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

// Stop returns a channel that Drain closes.
func (m *Monitor) Stop() <-chan struct{} { return m.draining }

type answer struct {
	Status string `json:"status"`
}

// Healthz answers that the process is up, and asks nothing else.
func (m *Monitor) Healthz() http.Handler {
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		return api.WriteJSON(w, answer{Status: "up"})
	})
}

// Readyz answers whether the process can serve.
func (m *Monitor) Readyz() http.Handler {
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		if m.Draining() {
			return api.NewProblem(api.CodeDraining, "The process is shutting down.")
		}
		if !m.Ready() {
			return api.NewProblem(api.CodeUnavailable, "Redis does not answer, or is set up unsafely; the log says what to do.")
		}
		return api.WriteJSON(w, answer{Status: "ready"})
	})
}
