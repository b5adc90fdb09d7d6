package redistest

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// Cluster starts a real Redis Cluster of one node that owns every slot, with args as
// further arguments. Without a redis-server it does as Program does.
func Cluster(t testing.TB, args ...string) *Redis {
	t.Helper()
	return Nodes(t, 1, args...)[0]
}

// Nodes starts a real Redis Cluster of n nodes that share the slots evenly, with args as
// further arguments of each. Without a redis-server it does as Program does.
func Nodes(t testing.TB, n int, args ...string) []*Redis {
	t.Helper()
	nodes := make([]*Redis, n)
	for i := range nodes {
		bus := FreePort(t)
		nodes[i] = Bare(t, append([]string{"--cluster-enabled", "yes", "--cluster-port", bus}, args...)...)
		if i > 0 {
			// By default CLUSTER MEET assumes that the bus port is the port + 10,000.
			require.NoError(t, nodes[0].Admin(t).Do(t.Context(), "cluster", "meet", "127.0.0.1", nodes[i].port(), bus).Err())
		}
	}
	const slots = 16384
	for i, node := range nodes {
		require.NoError(t, node.Admin(t).ClusterAddSlotsRange(t.Context(), i*slots/n, (i+1)*slots/n-1).Err())
	}
	for _, node := range nodes {
		client := node.Admin(t)
		require.Eventually(t, func() bool {
			info, err := client.ClusterInfo(t.Context()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(n))
		}, WaitLimit, 5*time.Millisecond, "the cluster does not become ready")
	}
	return nodes
}

// ClusterClient returns a client of the cluster that has r as a node.
func ClusterClient(t testing.TB, r *Redis) *redis.ClusterClient {
	t.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{r.Addr}, DialerRetries: 1, DialTimeout: time.Second,
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}
