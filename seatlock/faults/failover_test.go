package faults_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/oracle"
	"booking/seatlock/redistest"
)

// The primary is killed, and Sentinel promotes a replica. Redis does not promise that the
// replica has every sale. So the test only counts the lost sales, and requires that groups
// are whole and that every sale follows a hold.
func TestFailover_KeepsGroupsWhole(t *testing.T) {
	for name, opt := range map[string]seatlock.Options{
		"WithoutSaleReplicas": {},
		"WithSaleReplica":     {SaleReplicas: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var counts counters
			counts.report(t)
			opt.HoldTime, opt.Timeout = holdTime, 20*time.Second
			rounds(t, 1, func(n int) {
				t.Run(fmt.Sprint("round", n), func(t *testing.T) { failover(t, n, opt, &counts) })
			})
		})
	}
}

func failover(t *testing.T, n int, opt seatlock.Options, counts *counters) {
	primary := redistest.Bare(t, "--min-replicas-to-write", "1", "--repl-diskless-sync-delay", "0")
	host, port, err := net.SplitHostPort(primary.Addr)
	require.NoError(t, err)
	replicas := map[string]*redistest.Redis{}
	for range 2 {
		r := redistest.Bare(t, "--replicaof", host+" "+port, "--min-replicas-to-write", "0")
		replicas[r.Addr] = r
	}
	admin := primary.Admin(t)
	awaitInfo(t, admin, "min_slaves_good_slaves:2")
	var sentinels []string
	var watch []*redis.SentinelClient
	for range 3 {
		sentinels = append(sentinels, redistest.Sentinel(t, primary.Addr, 2).Addr)
	}
	for _, addr := range sentinels {
		sentinel := redis.NewSentinelClient(&redis.Options{Addr: addr})
		t.Cleanup(func() { _ = sentinel.Close() })
		watch = append(watch, sentinel)
		require.Eventually(t, func() bool {
			state, err := sentinel.Master(t.Context(), "seats").Result()
			return err == nil && state["num-slaves"] == "2" && state["num-other-sentinels"] == "2"
		}, waitLimit, 10*time.Millisecond, "the Sentinels do not discover each other")
	}

	var all []*seatlock.Locker
	for range 2 {
		client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "seats", SentinelAddrs: sentinels,
			MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second, ContextTimeoutEnabled: true})
		t.Cleanup(func() { _ = client.Close() })
		locker, err := seatlock.New(client, opt)
		require.NoError(t, err)
		all = append(all, locker)
	}
	l := startLoad(t, n, buyers, counts, nil, all...)
	l.awaitDone(int64(300 + random(n).IntN(100)))
	primary.Kill(t)
	counts.faults.Add(1)
	l.awaitDone(300)

	var survivor *redistest.Redis
	require.Eventually(t, func() bool { // this Sentinel may be the last to learn of the new primary
		address, err := watch[0].GetMasterAddrByName(t.Context(), "seats").Result()
		if err == nil {
			survivor = replicas[net.JoinHostPort(address[0], address[1])]
		}
		return survivor != nil
	}, waitLimit, 10*time.Millisecond, "no replica becomes the primary")
	findings := l.verify(holdTime, survivor.Admin(t))
	counts.countLost(findings)
	for _, f := range findings {
		if f.Promise == oracle.GroupsWhole || f.Promise == oracle.HoldFirst {
			t.Errorf("%v", f)
		}
	}
	if t.Failed() {
		saveHistory(t, l.calls, findings)
	}
}

// awaitInfo waits until INFO of a server contains line.
func awaitInfo(t *testing.T, server *redis.Client, line string) {
	t.Helper()
	require.Eventually(t, func() bool {
		info, err := server.Info(t.Context()).Result()
		return err == nil && strings.Contains(info, line+"\r\n")
	}, waitLimit, 10*time.Millisecond, "INFO does not contain %s", line)
}
