package faults_test

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// node is a node of a cluster.
type node struct {
	*redis.Client
	id, host, port string
}

// cluster starts a cluster of three nodes.
func cluster(t *testing.T) (servers []*redistest.Redis, nodes []node, clients []*redis.Client) {
	t.Helper()
	servers = redistest.Nodes(t, 3)
	for _, r := range servers {
		client := r.Admin(t)
		id, err := client.Do(t.Context(), "cluster", "myid").Text()
		require.NoError(t, err)
		host, port, err := net.SplitHostPort(r.Addr)
		require.NoError(t, err)
		nodes, clients = append(nodes, node{client, id, host, port}), append(clients, client)
	}
	return servers, nodes, clients
}

// The slot of the event on sale moves between nodes, with all its keys.
func TestCluster_KeepsPromisesWhileSlotMoves(t *testing.T) {
	servers, nodes, clients := cluster(t)
	var all []*seatlock.Locker
	for range 2 {
		client := redistest.ClusterClient(t, servers[0])
		locker, err := seatlock.New(client, seatlock.Options{HoldTime: holdTime, Timeout: waitLimit})
		require.NoError(t, err)
		all = append(all, locker)
	}
	var counts counters
	counts.report(t)
	rounds(t, 1, func(n int) {
		l := startLoad(t, n, buyers, &counts, nil, all...)
		choice := random(n)
		var moving time.Duration
		for range 10 {
			l.awaitDone(50)
			slot, err := nodes[0].ClusterKeySlot(t.Context(), "seats:{"+l.event()+"}").Result()
			require.NoError(t, err)
			from := owner(t, slot, nodes)
			to := (from + 1 + choice.IntN(2)) % len(nodes)
			moving += move(t, slot, nodes[from], nodes[to], nodes, func() { l.awaitCalls(choice.Int64N(50)) })
			counts.faults.Add(1)
		}
		l.awaitDone(50)
		// MIGRATE sends the TTL, not the deadline. So a key lives longer by the time it takes.
		l.requireNoFindings(holdTime+moving, clients...)
	})
}

// A buy that waits for replicas is sent to the node of its event, and must be redirected
// when the slot has moved. Only the old node has a replica. So the outcome stays unknown,
// and the test looks at the seat.
func TestBuy_IsRedirectedWithSaleReplicas(t *testing.T) {
	servers, nodes, _ := cluster(t)
	locker, err := seatlock.New(redistest.ClusterClient(t, servers[0]), seatlock.Options{Timeout: 20 * time.Second, SaleReplicas: 1})
	require.NoError(t, err)
	another, err := seatlock.New(redistest.ClusterClient(t, servers[0]), seatlock.Options{Timeout: time.Minute})
	require.NoError(t, err)
	_, err = locker.Reserve(t.Context(), "gala", []string{"1A", "1B"}, "ann")
	require.NoError(t, err)
	slot, err := nodes[0].ClusterKeySlot(t.Context(), "seats:{gala}").Result()
	require.NoError(t, err)
	from := owner(t, slot, nodes)
	to := (from + 1) % len(nodes)
	require.NoError(t, nodes[from].ConfigSet(t.Context(), "repl-diskless-sync-delay", "0").Err())
	redistest.Bare(t, "--replicaof", nodes[from].host, nodes[from].port)
	require.Eventually(t, func() bool { return nodes[from].Wait(t.Context(), 1, time.Second).Val() == 1 }, waitLimit, time.Millisecond)
	moveAndAgree := func(from, to node) {
		move(t, slot, from, to, nodes, func() {})
		awaitAgreement(t, to, nodes)
	}
	moveAndAgree(nodes[from], nodes[to])
	require.NoError(t, another.Buy(t.Context(), "gala", []string{"1B"}, "ann"), "this loads the script on the second node")
	moveAndAgree(nodes[to], nodes[from])
	moveAndAgree(nodes[from], nodes[to])
	require.Eventually(t, func() bool {
		err := locker.Buy(t.Context(), "gala", []string{"1A"}, "ann")
		assert.ErrorIs(t, err, seatlock.ErrOutcomeUnknown)
		seat, err := another.Status(t.Context(), "gala", "1A")
		return err == nil && seat.Status == seatlock.Sold
	}, waitLimit, time.Millisecond)
}

// While a slot moves, its old node redirects some calls of a batch and rejects others: it
// still has some keys. Each call is sent to one node at a time; -race verifies that.
func TestBatch_SplitsWhileSlotMoves(t *testing.T) {
	servers, nodes, _ := cluster(t)
	begun, proceed := make(chan struct{}, 100), make(chan struct{})
	locker, err := seatlock.New(redistest.ClusterClient(t, servers[0]), seatlock.Options{
		Timeout: time.Hour, // no batch is late; all calls wait for the first two
		OnBatch: func(int) { begun <- struct{}{}; <-proceed },
	})
	require.NoError(t, err)
	var calls sync.WaitGroup
	calls.Go(func() { _, err := locker.Reserve(t.Context(), "gala", []string{"1A"}, "ann"); assert.NoError(t, err) })
	<-begun
	proceed <- struct{}{}
	calls.Wait()
	slot, err := nodes[0].ClusterKeySlot(t.Context(), "seats:{gala}").Result()
	require.NoError(t, err)
	from := owner(t, slot, nodes)
	to := (from + 1) % len(nodes)
	beginMove(t, slot, nodes[from], nodes[to])
	migrate(t, nodes[from], nodes[to], "seat:{gala}:1A")

	buy := func() {
		err := locker.Buy(t.Context(), "gala", []string{"1A"}, "ann")
		assert.ErrorIs(t, err, seatlock.ErrOutcomeUnknown)
	}
	status := func() {
		seat, err := locker.Status(t.Context(), "gala", "1A")
		assert.NoError(t, err)
		assert.Equal(t, seatlock.Reserved, seat.Status)
	}
	for range 2 {
		calls.Go(status)
		<-begun
	}
	calls.Go(buy)
	require.Eventually(t, func() bool { return locker.Queued() == 1 }, waitLimit, time.Millisecond)
	for range 20 {
		calls.Go(status)
	}
	require.Eventually(t, func() bool { return locker.Queued() == 21 }, waitLimit, time.Millisecond)
	close(proceed)
	calls.Wait()

	move(t, slot, nodes[from], nodes[to], nodes, func() {})
	require.NoError(t, locker.Buy(t.Context(), "gala", []string{"1A"}, "ann"))
}

// owner returns the index of the node that has the slot.
func owner(t *testing.T, slot int64, nodes []node) int {
	t.Helper()
	shards, err := nodes[0].ClusterShards(t.Context()).Result()
	require.NoError(t, err)
	for _, shard := range shards {
		for _, r := range shard.Slots {
			if r.Start <= slot && slot <= r.End {
				return slices.IndexFunc(nodes, func(n node) bool { return n.id == shard.Nodes[0].ID })
			}
		}
	}
	t.Fatalf("no node has slot %d", slot)
	return 0
}

// move moves a slot that is in use, as redis-cli --cluster reshard does. It calls meanwhile
// after the move has begun. It returns the longest time that a key was migrating.
func move(t *testing.T, slot int64, from, to node, all []node, meanwhile func()) (moving time.Duration) {
	t.Helper()
	beginMove(t, slot, from, to)
	meanwhile()
	start := time.Now()
	for {
		keys, err := from.ClusterGetKeysInSlot(t.Context(), int(slot), 10).Result()
		require.NoError(t, err)
		if len(keys) == 0 {
			break
		}
		migrate(t, from, to, keys...)
	}
	moving = time.Since(start)
	// The new owner first: a slot without an owner is an outage.
	for _, n := range append([]node{to, from}, all...) {
		require.NoError(t, n.Do(context.Background(), "cluster", "setslot", slot, "node", to.id).Err())
	}
	return moving
}

// awaitAgreement waits until all nodes know that owner has the greatest configuration epoch: two
// moves in between would otherwise leave nodes that claim the same slot. If two nodes had the same
// epoch at the move, the cluster may give the greater one to the other: so owner asks for one.
func awaitAgreement(t *testing.T, owner node, all []node) {
	t.Helper()
	require.Eventually(t, func() bool {
		if err := owner.Do(t.Context(), "cluster", "bumpepoch").Err(); err != nil { // does nothing if owner's is the greatest
			return false
		}
		for _, n := range all {
			epochs := map[string]int64{}
			for line := range strings.Lines(n.ClusterNodes(t.Context()).Val()) {
				if fields := strings.Fields(line); len(fields) > 6 {
					epochs[fields[0]], _ = strconv.ParseInt(fields[6], 10, 64)
				}
			}
			for id, epoch := range epochs {
				if id != owner.id && epoch >= epochs[owner.id] {
					return false
				}
			}
		}
		return true
	}, waitLimit, time.Millisecond)
}

func beginMove(t *testing.T, slot int64, from, to node) {
	t.Helper()
	require.NoError(t, to.Do(t.Context(), "cluster", "setslot", slot, "importing", from.id).Err())
	require.NoError(t, from.Do(t.Context(), "cluster", "setslot", slot, "migrating", to.id).Err())
}

func migrate(t *testing.T, from, to node, keys ...string) {
	t.Helper()
	args := []any{"migrate", to.host, to.port, "", 0, 10_000, "keys"}
	for _, key := range keys {
		args = append(args, key)
	}
	require.NoError(t, from.Do(t.Context(), args...).Err())
}

// All keys of an event are in one slot. DeleteEvent leaves none of them on any node, and keeps
// those of other events, even if a user's name looks like the event's hash tag.
func TestCluster_PutsAndDeletesEvents(t *testing.T) {
	servers, nodes, _ := cluster(t)
	ctx := t.Context()
	locker, err := seatlock.New(redistest.ClusterClient(t, servers[0]), seatlock.Options{Timeout: time.Minute, MaxSeatsPerUser: 10})
	require.NoError(t, err)
	keysOn := func() (all []string) {
		for _, n := range nodes {
			keys, err := n.Keys(ctx, "*").Result()
			require.NoError(t, err)
			all = append(all, keys...)
		}
		slices.Sort(all)
		return all
	}
	const other = "other2" // the node of gala has it, too, in another slot
	events := []string{"ball", "concert", "derby", "expo", "fair", "gala", "hearing", "irish-dance"}
	for _, event := range events {
		_, _, err := locker.PutEvent(ctx, event, seatlock.Put{Document: []byte("{}"), Plan: []byte("plan")})
		require.NoError(t, err)
		require.NoError(t, locker.Block(ctx, event, []string{"1A", "1B"}, "house", seatlock.Terms{}))
		_, err = locker.ReserveOn(ctx, event, []string{"1A"}, "ann", seatlock.Terms{Channel: "house"})
		require.NoError(t, err)
		require.NoError(t, locker.Buy(ctx, event, []string{"1A"}, "ann"))
		slots := map[int64]bool{}
		keys := []string{"event", "plan", "blocked", "seats", "changes"}
		for i := range keys {
			keys[i] += ":{" + event + "}"
		}
		for _, key := range append(keys, "seat:{"+event+"}:1A", "user:{"+event+"}:ann") {
			require.Contains(t, keysOn(), key)
			slot, err := nodes[0].ClusterKeySlot(ctx, key).Result()
			require.NoError(t, err)
			slots[slot] = true
		}
		require.Len(t, slots, 1, event)
	}
	_, err = locker.Reserve(ctx, other, []string{"1A"}, "x:{gala}")
	require.NoError(t, err)
	found, err := locker.Events(ctx, "", 100)
	require.NoError(t, err)
	require.Equal(t, events, found)
	for i, event := range events {
		require.ErrorIs(t, locker.DeleteEvent(ctx, event, false), seatlock.ErrHasSales)
		require.NoError(t, locker.DeleteEvent(ctx, event, true))
		for _, key := range keysOn() {
			require.NotContains(t, key, ":{"+event+"}:")
			require.False(t, strings.HasSuffix(key, ":{"+event+"}") && !strings.HasPrefix(key, "user:{"+other+"}"), key)
		}
		found, err = locker.Events(ctx, "", 100)
		require.NoError(t, err)
		require.ElementsMatch(t, events[i+1:], found)
	}
	require.ElementsMatch(t, []string{"seat:{" + other + "}:1A", "seats:{" + other + "}", "changes:{" + other + "}", "user:{" + other + "}:x:{gala}"}, keysOn())
}
