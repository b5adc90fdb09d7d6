package redisclient_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/redisclient"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

// sell takes a group of seats through reserve and buy by way of mode and url.
func sell(t *testing.T, mode, url string) {
	t.Helper()
	client, err := redisclient.Open(mode, url, time.Minute)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	locker, err := seatlock.New(client, seatlock.Options{Timeout: time.Minute})
	require.NoError(t, err)
	require.NoError(t, locker.Check(t.Context()))
	seats := []string{"1A", "1B", "1C"}
	for _, event := range []string{"gala", "matinee", "premiere"} {
		_, err = locker.Reserve(t.Context(), event, seats, "ann")
		require.NoError(t, err)
		require.NoError(t, locker.Buy(t.Context(), event, seats, "ann"))
		seat, err := locker.Status(t.Context(), event, "1B")
		require.NoError(t, err)
		require.Equal(t, seatlock.Sold, seat.Status)
	}
}

func TestSingle(t *testing.T) {
	t.Parallel()
	sell(t, redisclient.Single, redistest.Server(t).URL())
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	primary := redistest.Bare(t)
	_, port, err := net.SplitHostPort(primary.Addr)
	require.NoError(t, err)
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, "sentinel monitor seats 127.0.0.1 %s 1\n", port), 0o600))
	sentinel := redistest.Sentinel(t, conf)
	sell(t, redisclient.Sentinel, "redis://"+sentinel.Addr+"/0?master_name=seats")
}

func TestCluster(t *testing.T) {
	t.Parallel()
	sell(t, redisclient.Cluster, redistest.Cluster(t).URL())
}

func TestEmbeddedRedis(t *testing.T) {
	t.Parallel()
	url, closeRedis, err := redisclient.Embed()
	require.NoError(t, err)
	defer closeRedis()
	client, err := redisclient.Open(redisclient.Single, url, time.Second)
	require.NoError(t, err)
	defer func() { _ = client.Close() }()
	require.NoError(t, client.Set(t.Context(), "hold", "x", 50*time.Millisecond).Err())
	require.Eventually(t, func() bool {
		return client.Exists(t.Context(), "hold").Val() == 0
	}, 20*time.Second, 5*time.Millisecond, "the clock stands still")
}

func TestUnknownModesAndURLsAreRefused(t *testing.T) {
	t.Parallel()
	require.False(t, redisclient.Valid("ring", "redis://host"))
	for _, mode := range redisclient.Modes {
		require.False(t, redisclient.Valid(mode, "http://host"), mode)
	}
}
