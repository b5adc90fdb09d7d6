package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/changes"
	"booking/functions/internal/api"
	"booking/functions/internal/httpserver"
	"booking/functions/internal/httpserver/httpservertest"
	"booking/functions/internal/readiness"
	"booking/seatlock"
)

// freeLocker is a Locker of an event with all seats free, in which each call succeeds.
type freeLocker struct{ functions.Locker }

func (freeLocker) Reserve(context.Context, string, []string, string) (seatlock.Hold, error) {
	return seatlock.Hold{Deadline: time.UnixMilli(1_700_000_000_000), ExpiresIn: time.Minute}, nil
}

func (freeLocker) Status(_ context.Context, _, seat string) (seatlock.Seat, error) {
	return seatlock.Seat{ID: seat}, nil
}

func (freeLocker) LastChange(context.Context, string) (string, error) { return seatlock.NoChange, nil }

func (freeLocker) Changes(context.Context, string, string, int) ([]seatlock.Change, error) {
	return nil, nil
}

func (freeLocker) AwaitChange(ctx context.Context, _, _ string, wait time.Duration) error {
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
	return nil
}

func (freeLocker) RecordExpired(context.Context, string) (time.Duration, error) { return -1, nil }

// The limits of a server that runs in memory.
const (
	maxConnections = 10
	maxStreams     = 3
)

// inMemory runs test in a synctest bubble, with a server of all functions over a
// freeLocker.
func inMemory(t *testing.T, test func(t *testing.T, s *httpservertest.Server)) {
	t.Helper()
	httpservertest.Run(t, func() (http.Handler, httpserver.Options) {
		monitor := readiness.New(func(context.Context) error { return nil })
		handler, err := functions.Handler("", functions.Deps{Locker: freeLocker{}, Rules: api.Rules{MaxSeats: 10}, Streams: changes.Options{Stop: monitor.DrainStarted(), MaxStreams: maxStreams}}, monitor)
		require.NoError(t, err)
		return handler, httpserver.Options{MaxConnections: maxConnections, RequestTimeout: 2 * time.Second, OnDrain: monitor.Drain}
	}, test)
}
