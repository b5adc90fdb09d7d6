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
)

const getChanges = "GET /changes HTTP/1.1\r\nHost: x\r\n\r\n"

// stream opens a stream, and returns its client and the status.
func (m *memoryServer) stream(t *testing.T) (*client, int) {
	t.Helper()
	c := m.dial(t)
	c.send(getChanges)
	resp, err := http.ReadResponse(c.answers, nil)
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, resp.Body) }()
	return c, resp.StatusCode
}

// The time of the bubble stands still: the server does not wait for its next write.
func TestStreams_EndWhenTheirReaderHangsUp(t *testing.T) {
	t.Parallel()
	inMemory(t, func(t *testing.T, m *memoryServer) {
		start := time.Now()
		var open []*client
		for range maxStreams {
			c, status := m.stream(t)
			require.Equal(t, http.StatusOK, status)
			open = append(open, c)
		}
		_, status := m.stream(t)
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.NoError(t, open[0].Close())
		synctest.Wait()
		_, status = m.stream(t)
		require.Equal(t, http.StatusOK, status)
		require.Zero(t, time.Since(start))
	})
}

// A stream lives longer than any request may take.
func TestStreams_OutliveTheTimeoutsOfRequests(t *testing.T) {
	t.Parallel()
	inMemory(t, func(t *testing.T, m *memoryServer) {
		c := m.dial(t)
		c.send(getChanges)
		resp, err := http.ReadResponse(c.answers, nil)
		require.NoError(t, err)
		beats := make([]byte, len("retry: 1000\n\n")+40*len(": alive\n\n"))
		_, err = io.ReadFull(resp.Body, beats)
		require.NoError(t, err)
		require.Equal(t, 40, strings.Count(string(beats), ": alive"))
		require.Equal(t, 10*time.Minute, time.Since(c.since))
	})
}

func TestStreams_LeaveConnectionsToOthers(t *testing.T) {
	t.Parallel()
	inMemory(t, func(t *testing.T, m *memoryServer) {
		start := time.Now()
		for i := range 2 * maxConnections {
			_, status := m.stream(t)
			require.Equal(t, i < maxStreams, status == http.StatusOK)
		}
		c := m.dial(t)
		c.send(getOne)
		resp, _ := c.answer(t, http.MethodGet)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Zero(t, time.Since(start))
	})
}

func TestProbes_AnswerOnMetricsPort(t *testing.T) {
	t.Parallel()
	port := processtest.FreePort(t)
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
