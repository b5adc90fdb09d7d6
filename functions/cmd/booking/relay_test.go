package main

import (
	"encoding/json"
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
	seats []string
}

func (s *shop) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var event struct {
		Data struct {
			SeatIDs []string `json:"seat_ids"`
		} `json:"data"`
	}
	_ = json.NewDecoder(r.Body).Decode(&event)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seats = append(s.seats, event.Data.SeatIDs...)
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
