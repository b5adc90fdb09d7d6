package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/internal/processtest"
)

// The test is not parallel: on a small machine it would slow down the others.
func TestBooking_ServesBesideIdleConnections(t *testing.T) {
	p := processtest.Start(t)
	p.Await(t, "/readyz", http.StatusOK)
	const n = 5000
	memory, descriptors := usage(t, p.Pid())
	for range n {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		_, err = conn.Write([]byte(getOne))
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	status, _ := post(t, p.URL+"/reserve", ann1A)
	require.Equal(t, http.StatusOK, status)
	memoryNow, descriptorsNow := usage(t, p.Pid())
	t.Logf("%d idle connections: %d KiB and %.2f descriptors each", n, (memoryNow-memory)/n>>10, float64(descriptorsNow-descriptors)/n)
	require.Less(t, (memoryNow-memory)/n, 256<<10, "bytes a connection; the race detector needs most of them")
	require.Less(t, descriptorsNow-descriptors, n+100)
}

// usage returns the resident memory of a process, in bytes, and its open file descriptors.
func usage(t *testing.T, pid int) (memory, descriptors int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if os.IsNotExist(err) {
		t.Skip("this system has no /proc")
	}
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(status), "VmRSS:")
	require.True(t, found)
	_, err = fmt.Sscan(rest, &memory)
	require.NoError(t, err)
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	require.NoError(t, err)
	return memory << 10, len(open)
}
