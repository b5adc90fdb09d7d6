package main

import (
	"context"
	"iter"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/changes"
	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/functions/internal/httpserver"
	"booking/functions/internal/httpserver/httpservertest"
	"booking/functions/internal/readiness"
	"booking/seatlock"
)

// freeLocker is a Locker of an event with all seats free, in which each call succeeds.
type freeLocker struct{ functions.Locker }

func (freeLocker) ReserveOn(context.Context, string, []string, string, seatlock.Terms) (seatlock.Hold, error) {
	return seatlock.Hold{Deadline: time.UnixMilli(1_700_000_000_000), ExpiresIn: time.Minute}, nil
}

func (freeLocker) StatusOn(_ context.Context, _, seat string, _ seatlock.Terms) (seatlock.Seat, error) {
	return seatlock.Seat{ID: seat}, nil
}

func (freeLocker) Changes(context.Context, string, string, int) ([]seatlock.Change, error) {
	return nil, nil
}

func (freeLocker) NewView(string) (hall.View, error) { return freeView{}, nil }
func (freeLocker) Subscribe() hall.Subscription      { return freeView{} }

// freeView is a View of an event in which nothing happens.
type freeView struct{}

func (freeView) Refresh(context.Context) (seatlock.Update, error) {
	return seatlock.Update{NextExpiry: -1}, nil
}
func (freeView) At() time.Time                                     { return time.UnixMilli(1_700_000_000_000) }
func (freeView) Position() string                                  { return seatlock.NoChange }
func (freeView) Len() int                                          { return 0 }
func (freeView) Lapsed() int                                       { return 0 }
func (freeView) Seats() iter.Seq[seatlock.Seat]                    { return func(func(seatlock.Seat) bool) {} }
func (freeView) IsFree(string) bool                                { return true }
func (freeView) SeatsOf(context.Context, string) ([]string, error) { return nil, nil }
func (freeView) Add(context.Context, string) error                 { return nil }
func (freeView) Remove(context.Context, string) error              { return nil }
func (freeView) Events() <-chan string                             { c := make(chan string); close(c); return c }

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
		handler, err := functions.Handler("", functions.Deps{Locker: freeLocker{}, Catalog: catalog.New(freeLocker{}, catalog.Options{}), Halls: hall.NewFrom(freeLocker{}), Rules: api.Rules{MaxSeats: 10}, Streams: changes.Options{Stop: monitor.DrainStarted(), MaxStreams: maxStreams}}, monitor)
		require.NoError(t, err)
		return handler, httpserver.Options{MaxConnections: maxConnections, RequestTimeout: 2 * time.Second, OnDrain: monitor.Drain}
	}, test)
}
