package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/internal/processtest"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

// shop is a sink that notes the seats of the changes that it receives.
type shop struct {
	mu    sync.Mutex
	seats []string // without those of repeats
	last  string   // sequence
	kill  func()   // called once, by the next request before it is answered; nil: nothing is
}

func (s *shop) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var event struct {
		Sequence string `json:"sequence"`
		Data     struct {
			SeatIDs []string `json:"seat_ids"`
		} `json:"data"`
	}
	_ = json.NewDecoder(r.Body).Decode(&event)
	s.mu.Lock()
	defer s.mu.Unlock()
	if event.Sequence > s.last {
		s.last, s.seats = event.Sequence, append(s.seats, event.Data.SeatIDs...)
	}
	if s.kill != nil {
		s.kill()
		s.kill = nil
	}
}

func (s *shop) has(seat string) func() bool {
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.seats) > 0 && s.seats[len(s.seats)-1] == seat
	}
}

// A process of the relay serves the probes alone. One that stops lets the next one go on.
func TestBooking_RunsRelay(t *testing.T) {
	t.Parallel()
	r, sink := redistest.Server(t), &shop{}
	server := httptest.NewServer(sink)
	t.Cleanup(server.Close)
	locker, err := seatlock.New(r.Client(t), seatlock.Options{Timeout: time.Minute})
	require.NoError(t, err)
	_, _, err = locker.PutEvent(t.Context(), "gala", seatlock.Put{})
	require.NoError(t, err)
	reserve := func(seat string) {
		_, err := locker.Reserve(t.Context(), "gala", []string{seat}, "ann")
		require.NoError(t, err)
	}
	start := func(env ...string) *processtest.Process {
		p := processtest.Start(t, append(env, "REDIS_URL="+r.URL(), "SINK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")...)
		p.Await(t, "/readyz", http.StatusOK)
		return p
	}
	alone := start("FUNCTION_TARGET=relay", "SINK_URL="+server.URL)
	for _, path := range []string{"/", "/seats", "/relay"} {
		alone.Await(t, path, http.StatusNotFound)
	}
	reserve("1A")
	require.Eventually(t, sink.has("1A"), redistest.WaitLimit, time.Millisecond)
	alone.Signal(t, syscall.SIGTERM)
	require.Zero(t, alone.Wait(), alone.Log())

	all := start("K_SINK=" + server.URL)
	all.Await(t, "/seats", http.StatusOK)
	reserve("1B")
	require.Eventually(t, sink.has("1B"), redistest.WaitLimit, time.Millisecond)
	all.Signal(t, syscall.SIGTERM)
	require.Zero(t, all.Wait(), all.Log())

	start("FUNCTION_TARGET=reserve", "SINK_URL="+server.URL)
	reserve("1C")
	left, err := r.Admin(t).HGet(t.Context(), "relay:{gala}", "owner").Result()
	require.Error(t, err, left)
}

// A relay is killed while a request is under way, again and again. The next one waits for the end of
// its lease, and the shop gets every change in order.
func TestBooking_RelayIsKilled(t *testing.T) {
	t.Parallel()
	r, sink := redistest.Server(t), &shop{}
	server := httptest.NewServer(sink)
	t.Cleanup(server.Close)
	locker, err := seatlock.New(r.Client(t), seatlock.Options{Timeout: time.Minute})
	require.NoError(t, err)
	_, _, err = locker.PutEvent(t.Context(), "gala", seatlock.Put{})
	require.NoError(t, err)
	var reserved []string
	for round := range 3 {
		var p *processtest.Process
		killed := make(chan struct{})
		sink.mu.Lock()
		sink.kill = func() {
			p.Signal(t, syscall.SIGKILL)
			p.Wait()
			close(killed)
		}
		p = processtest.Start(t, "FUNCTION_TARGET=relay", "REDIS_URL="+r.URL(), "SINK_URL="+server.URL)
		sink.mu.Unlock()
		for i := range 20 {
			seat := fmt.Sprintf("%d-%d", round, i)
			_, err := locker.Reserve(t.Context(), "gala", []string{seat}, "ann")
			require.NoError(t, err)
			reserved = append(reserved, seat)
		}
		select {
		case <-killed:
		case <-time.After(redistest.WaitLimit):
			require.FailNow(t, "no request comes", p.Log())
		}
		ends, err := r.Admin(t).HGet(t.Context(), "relay:{gala}", "ends").Int64()
		require.NoError(t, err)
		require.Positive(t, ends)
		require.NoError(t, r.Admin(t).HSet(t.Context(), "relay:{gala}", "ends", 1).Err()) // as its time passes
	}
	processtest.Start(t, "FUNCTION_TARGET=relay", "REDIS_URL="+r.URL(), "SINK_URL="+server.URL)
	require.Eventually(t, sink.has(reserved[len(reserved)-1]), redistest.WaitLimit, time.Millisecond)
	sink.mu.Lock()
	defer sink.mu.Unlock()
	require.Equal(t, reserved, sink.seats)
}
