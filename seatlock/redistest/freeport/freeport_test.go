package freeport_test

import (
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest/freeport"
)

func TestReserve_LetsServerListen(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux lets a server listen on a reserved port")
	}
	port, release, err := freeport.Reserve()
	require.NoError(t, err)
	t.Cleanup(release)

	// While a server is down, an outgoing connection could otherwise be assigned its port
	// and connect to itself.
	for range 3 {
		_, err = net.Dial("tcp", "127.0.0.1:"+port)
		require.ErrorContains(t, err, "refused")
		for _, host := range []string{"127.0.0.1", ""} {
			server, err := net.Listen("tcp", net.JoinHostPort(host, port))
			require.NoError(t, err)
			_, err = net.Listen("tcp", net.JoinHostPort(host, port))
			require.ErrorContains(t, err, "in use")
			require.NoError(t, server.Close())
		}
	}
}

// Linux assigns about 28,000 ports by itself: half of them to connections and half to
// listeners, until a half is used up.
func TestReserve_KeepsPortFromOthers(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux keeps a reserved port from others")
	}
	reserved := map[string]bool{}
	for range 200 {
		port, release, err := freeport.Reserve()
		require.NoError(t, err)
		t.Cleanup(release)
		require.False(t, reserved[port], "reserved twice")
		reserved[port] = true
	}
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	for range 300 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
		conn, err := net.Dial("tcp", server.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		for _, addr := range []net.Addr{l.Addr(), conn.LocalAddr()} {
			_, port, err := net.SplitHostPort(addr.String())
			require.NoError(t, err)
			require.False(t, reserved[port], "reserved port %s is assigned to another socket", port)
		}
	}
}
