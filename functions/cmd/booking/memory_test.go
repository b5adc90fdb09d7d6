package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/changes"
	"booking/functions/cmd/internal/service"
	"booking/functions/internal/api"
	"booking/functions/internal/config"
	"booking/functions/internal/readiness"
	"booking/seatlock"
)

// memoryServer is the server in a bubble of synctest: its connections are pipes,
// its seats are never taken, and its time passes when all wait for it.
type memoryServer struct {
	conns chan net.Conn
	done  <-chan struct{}
	close func()
}

func (m *memoryServer) Accept() (net.Conn, error) {
	select {
	case conn := <-m.conns:
		return conn, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *memoryServer) Close() error {
	m.close()
	return nil
}

func (m *memoryServer) Addr() net.Addr { return &net.TCPAddr{} }

// freeHall is a Redis in which every call succeeds.
type freeHall struct{ functions.Locker }

func (freeHall) Reserve(context.Context, string, []string, string) (seatlock.Hold, error) {
	return seatlock.Hold{Deadline: time.UnixMilli(1_700_000_000_000), ExpiresIn: time.Minute}, nil
}

func (freeHall) Status(_ context.Context, _, seat string) (seatlock.Seat, error) {
	return seatlock.Seat{ID: seat}, nil
}

func (freeHall) Map(context.Context, string) (seatlock.SeatMap, error) {
	seats := make([]seatlock.Seat, 10_000)
	for i := range seats {
		seats[i] = seatlock.Seat{ID: strings.Repeat("x", 64), Status: seatlock.Sold}
	}
	return seatlock.SeatMap{At: time.Now(), Change: "1-0", Seats: seats}, nil
}

func (freeHall) LastChange(context.Context, string) (string, error) { return seatlock.NoChange, nil }

func (freeHall) Changes(context.Context, string, string, int) ([]seatlock.Change, error) {
	return nil, nil
}

func (freeHall) AwaitChange(ctx context.Context, _, _ string, wait time.Duration) error {
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
	return nil
}

func (freeHall) RecordExpired(context.Context, string) (time.Duration, error) { return -1, nil }

// How many connections, and streams among them, a memoryServer takes at a time.
const (
	maxConnections = 10
	maxStreams     = 3
)

// inMemory runs test in a bubble with a server of its own, which must stop when told
// to.
func inMemory(t *testing.T, test func(t *testing.T, m *memoryServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		m := &memoryServer{conns: make(chan net.Conn), done: done, close: sync.OnceFunc(func() { close(done) })}
		monitor := readiness.New(func(context.Context) error { return nil })
		handler, err := functions.Handler("", functions.Needs{Locker: freeHall{}, Rules: api.Rules{MaxSeats: 10}, Streams: changes.Options{Stop: monitor.Stop(), MaxStreams: maxStreams}}, monitor)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			ended <- serve(ctx, m, &service.Service{Handler: handler, Monitor: monitor}, &config.Config{RequestTimeout: 2 * time.Second, MaxConnections: maxConnections})
		}()
		defer func() {
			stop()
			require.NoError(t, <-ended)
			time.Sleep(time.Minute) // the bubble's time, in which clients notice
		}()
		test(t, m)
	})
}

// client is one connection.
type client struct {
	net.Conn
	answers *bufio.Reader
	since   time.Time
}

func (m *memoryServer) dial(t *testing.T) *client {
	t.Helper()
	ours, theirs := net.Pipe()
	m.conns <- theirs
	t.Cleanup(func() { _ = ours.Close() })
	return &client{Conn: ours, answers: bufio.NewReader(ours), since: time.Now()}
}

// send writes what the server may stop reading at any time.
func (c *client) send(text string) {
	go func() { _, _ = io.WriteString(c, text) }()
}

// trickle writes text, and then a byte a second until it is cut off.
func (c *client) trickle(text string) {
	go func() {
		_, err := io.WriteString(c, text)
		for err == nil {
			time.Sleep(time.Second)
			_, err = io.WriteString(c, "x")
		}
	}()
}

// answer reads an answer to a request of the method.
func (c *client) answer(t *testing.T, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(c.answers, &http.Request{Method: method})
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

// closedAfter asserts that the server sends nothing more, and closes the connection
// when that old.
func (c *client) closedAfter(t *testing.T, age time.Duration) {
	t.Helper()
	rest, err := io.ReadAll(c.answers)
	require.NoError(t, err)
	require.Empty(t, string(rest))
	require.Equal(t, age, time.Since(c.since))
}
