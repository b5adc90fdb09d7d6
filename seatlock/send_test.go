package seatlock

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest"
)

// After a sale that failed, another server may answer. The next sale must check that.
func TestSend_ForgetsCheckAfterFailedSale(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	l, err := New(client, Options{SaleReplicas: 1})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, sale := range []bool{false, true} {
		l.single.safety.record(nil)
		l.observe(l.single, time.Now().UnixMilli(), time.Now()) // otherwise send asks for the time first
		args := buyScript.command(transitionKeys("gala", []string{"1A"}, "ann"), 0, notAfterUnset, "ann", 0)
		c := &call{cmd: redis.NewIntSliceCmd(ctx, args...), script: buyScript}
		l.send(ctx, batchKey{event: "gala", sale: sale}, []*call{c})
		require.ErrorContains(t, c.err, "dial")
		require.Equal(t, sale, l.single.safety.passedAt.IsZero())
	}
}

// A call that is not redirected is sent once.
func TestStatus_IsSentOnceInCluster(t *testing.T) {
	t.Parallel()
	r := redistest.Cluster(t)
	l, err := New(redistest.ClusterClient(t, r), Options{Timeout: time.Minute})
	require.NoError(t, err)
	for range 5 {
		_, err := l.Status(t.Context(), "gala", "1A")
		require.NoError(t, err)
	}
	stats, err := r.Admin(t).Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	require.Contains(t, stats, "cmdstat_pttl:calls=5,")
}
