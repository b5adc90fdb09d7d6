package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/internal/processtest"
	"booking/functions/internal/httpserver/httpservertest"
	"booking/seatlock/redistest"
)

const getChanges = "GET /changes HTTP/1.1\r\nHost: x\r\n\r\n"

// openStream sends a call of changes. It returns its connection and its status.
func openStream(t *testing.T, s *httpservertest.Server) (*httpservertest.Client, int) {
	t.Helper()
	c := s.Dial(t)
	c.Send(getChanges)
	resp, err := http.ReadResponse(c.Responses, nil)
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, resp.Body) }()
	return c, resp.StatusCode
}

// No time passes in the bubble: a stream ends at once, not with its next write.
func TestChanges_EndWhenReaderHangsUp(t *testing.T) {
	t.Parallel()
	inMemory(t, func(t *testing.T, s *httpservertest.Server) {
		start := time.Now()
		var open []*httpservertest.Client
		for range maxStreams {
			c, status := openStream(t, s)
			require.Equal(t, http.StatusOK, status)
			open = append(open, c)
		}
		_, status := openStream(t, s)
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.NoError(t, open[0].Close())
		synctest.Wait()
		_, status = openStream(t, s)
		require.Equal(t, http.StatusOK, status)
		require.Zero(t, time.Since(start))
	})
}

func TestChanges_OutliveRequestTimeouts(t *testing.T) {
	t.Parallel()
	inMemory(t, func(t *testing.T, s *httpservertest.Server) {
		c := s.Dial(t)
		c.Send(getChanges)
		resp, err := http.ReadResponse(c.Responses, nil)
		require.NoError(t, err)
		beats := make([]byte, len("retry: 1000\n\n")+40*len(": alive\n\n"))
		_, err = io.ReadFull(resp.Body, beats)
		require.NoError(t, err)
		require.Equal(t, 40, strings.Count(string(beats), ": alive"))
		require.InDelta(t, 10*time.Minute, time.Since(c.Opened), float64(40*time.Second), "one in 15 s, or in the second after")
	})
}

func TestChanges_LeaveConnectionsForCalls(t *testing.T) {
	t.Parallel()
	inMemory(t, func(t *testing.T, s *httpservertest.Server) {
		start := time.Now()
		for i := range 2 * maxConnections {
			_, status := openStream(t, s)
			require.Equal(t, i < maxStreams, status == http.StatusOK)
		}
		c := s.Dial(t)
		c.Send(getOne)
		resp, _ := c.Response(t, http.MethodGet)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Zero(t, time.Since(start))
	})
}

func TestBooking_AnswersProbesOnMetricsPort(t *testing.T) {
	t.Parallel()
	port := redistest.FreePort(t)
	p := processtest.Start(t, "METRICS_PORT="+port, "MAX_CONNECTIONS=2", "REDIS_URL=redis://127.0.0.1:1", "REQUEST_TIMEOUT=10ms")
	probes := *p
	probes.URL = "http://127.0.0.1:" + port
	probes.Await(t, "/healthz", http.StatusOK)
	probes.Await(t, "/readyz", http.StatusServiceUnavailable)
	p.AwaitLog(t, "started")
	for range 2 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
	}
	probes.Await(t, "/healthz", http.StatusOK)
	status, _ := get(t, probes.URL+"/seats/1A")
	require.Equal(t, http.StatusNotFound, status, "a function on METRICS_PORT")
}
