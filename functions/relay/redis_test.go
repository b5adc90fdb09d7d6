package relay_test

import (
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/functions/internal/redisclient"
	"booking/functions/relay"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

// Redis is killed under load, once with the relay; the sink fails meanwhile, too. The shop ends with
// the seats that Redis has, and got every change in order.
func TestRelay_RebuildsSeatsThroughCrashesOfRedis(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t, "--appendonly", "yes", "--appendfsync", "always")
	locker, err := seatlock.New(r.Client(t), seatlock.Options{HoldTime: 300 * time.Millisecond, MaxHoldTime: time.Second, Timeout: time.Second, Durable: true})
	require.NoError(t, err)
	b, shop := &testBundle{locker, r.Admin(t)}, newReceiver(t)
	events := []string{"gala", "opera"}
	for _, event := range events {
		b.put(t, event)
	}
	faults := rand.New(rand.NewPCG(3, 7))
	shop.setFaults(func(int) fault {
		if faults.IntN(4) == 0 {
			return fault(faults.IntN(int(hang)))
		}
		return noFault
	})
	opt := relay.Options{Batch: 5, Sink: sinkOptions(t, shop.url)}
	p := b.start(t, opt)

	var calls, outages atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	for i, event := range events {
		load.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 5))
			for {
				select {
				case <-stop:
					return
				default:
				}
				if isOutage(b.call(t.Context(), event, random)) {
					outages.Add(1)
				}
				calls.Add(1)
			}
		})
	}
	defer load.Wait()
	end := sync.OnceFunc(func() { close(stop) })
	defer end()
	for _, withRelay := range []bool{false, true, false} {
		before, received := calls.Load(), len(shop.received("gala"))
		require.Eventually(t, func() bool {
			return calls.Load() >= before+int64(*stormCalls) && len(shop.received("gala")) > received
		}, redistest.WaitLimit, time.Millisecond)
		metByCalls, metByRelay := outages.Load(), p.outages.Load()
		r.Kill(t)
		require.Eventually(t, func() bool { return outages.Load() > metByCalls && p.outages.Load() > metByRelay }, redistest.WaitLimit, time.Millisecond)
		if withRelay {
			p.kill()
			<-p.done
		}
		r.Start(t)
		// The client dials again after a second at most.
		require.Eventually(t, func() bool { return b.locker.Check(t.Context()) == nil }, redistest.WaitLimit, time.Millisecond)
		if withRelay {
			for _, event := range events { // as its time passes
				require.NoError(t, b.redis.HSet(t.Context(), "relay:{"+event+"}", "ends", 1).Err())
			}
			p = b.start(t, opt)
		}
	}
	end()
	load.Wait()
	b.requireRebuilt(t, shop, events)
	shop.mu.Lock()
	defer shop.mu.Unlock()
	require.Zero(t, shop.resets)
}

// Redis goes back to an older state, as a failover to a replica that lags does. The shop hears that
// changes were lost, and gets all later ones.
func TestRelay_TellsThatRedisLostChanges(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	b, shop := setup(t, r, seatlock.Options{}), newReceiver(t)
	b.put(t, "gala")
	p := b.start(t, relay.Options{Sink: sinkOptions(t, shop.url)})
	b.reserve(t, "gala", "1A")
	require.Eventually(t, func() bool { return len(shop.received("gala")) == 1 }, redistest.WaitLimit, time.Millisecond)
	require.NoError(t, b.redis.Save(t.Context()).Err())
	b.reserve(t, "gala", "1B")
	require.Eventually(t, func() bool { return len(shop.received("gala")) == 2 }, redistest.WaitLimit, time.Millisecond)
	r.Kill(t)
	r.Start(t)
	require.Eventually(t, func() bool { return p.relay.Stats().Resets > 0 }, redistest.WaitLimit, time.Millisecond)
	b.reserve(t, "gala", "1C")
	require.Eventually(t, func() bool { return shop.table("gala")["1C"] == "held" }, redistest.WaitLimit, time.Millisecond)
	shop.mu.Lock()
	defer shop.mu.Unlock()
	require.Positive(t, shop.resets)
}

// Redis loses all it has, or an event is deleted. When the event is put again, the shop hears that its
// seats are others now.
func TestRelay_TellsThatAnEventBeganAgain(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, b *testBundle) error{
		"Deleted": func(t *testing.T, b *testBundle) error { return b.locker.DeleteEvent(t.Context(), "gala", true) },
		"Lost":    func(t *testing.T, b *testBundle) error { return b.redis.FlushAll(t.Context()).Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
				b, shop := setup(t, r, seatlock.Options{}), newReceiver(t)
				shop.reload = func(event string) (map[string]string, string, error) {
					found, err := b.locker.Map(t.Context(), event)
					return map[string]string{}, found.Change, err
				}
				b.put(t, "gala")
				p := b.start(t, relay.Options{Sink: sinkOptions(t, shop.url)})
				b.reserve(t, "gala", "1A")
				require.NoError(t, b.locker.Buy(t.Context(), "gala", []string{"1A"}, "ann"))
				require.Eventually(t, func() bool { return len(shop.table("gala")) == 1 && p.relay.Stats().Unsent == 0 }, redistest.WaitLimit, time.Millisecond)
				r.Advance(t, time.Second) // miniredis has a clock that stops
				require.NoError(t, lose(t, b))
				require.Eventually(t, func() bool { return p.relay.Stats().Events == 0 }, redistest.WaitLimit, time.Millisecond)
				b.put(t, "gala")
				require.Eventually(t, func() bool { return len(shop.table("gala")) == 0 }, redistest.WaitLimit, time.Millisecond)
				b.reserve(t, "gala", "1B")
				require.Eventually(t, func() bool { return shop.table("gala")["1B"] == "held" }, redistest.WaitLimit, time.Millisecond)
				require.EqualValues(t, 1, p.relay.Stats().Resets)
			})
		})
	}
}

// Sentinel promotes a replica that lacks the last change. The shop, which has it, reloads, and gets
// all later ones.
func TestRelay_TellsThatAFailoverLostChanges(t *testing.T) {
	t.Parallel()
	primary := redistest.Bare(t, "--repl-diskless-sync-delay", "0")
	host, port, err := net.SplitHostPort(primary.Addr)
	require.NoError(t, err)
	replica := redistest.Bare(t, "--replicaof", host+" "+port)
	sentinel := redistest.Sentinel(t, primary.Addr, 1)
	watch := redis.NewSentinelClient(&redis.Options{Addr: sentinel.Addr})
	t.Cleanup(func() { _ = watch.Close() })
	require.Eventually(t, func() bool {
		state, err := watch.Master(t.Context(), "seats").Result()
		return err == nil && state["num-slaves"] == "1"
	}, redistest.WaitLimit, 10*time.Millisecond)
	client, err := redisclient.Open(redisclient.Options{Mode: redisclient.Sentinel, URL: "redis://" + sentinel.Addr + "/0?master_name=seats", Timeout: time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	locker, err := seatlock.New(client, seatlock.Options{Timeout: 10 * time.Second})
	require.NoError(t, err)
	b, shop := &testBundle{locker, primary.Admin(t)}, newReceiver(t)
	shop.reload = func(event string) (map[string]string, string, error) {
		found, err := locker.Map(t.Context(), event)
		if err != nil {
			return nil, "", err
		}
		seats := map[string]string{}
		for _, seat := range found.Seats {
			seats[seat.ID] = map[seatlock.Status]string{seatlock.Reserved: "held", seatlock.Sold: "sold ann o1"}[seat.Status]
		}
		return seats, found.Change, nil
	}
	b.put(t, "gala")
	b.start(t, relay.Options{Sink: sinkOptions(t, shop.url)})
	b.reserve(t, "gala", "1A", "1B")
	require.NoError(t, locker.BuyOn(t.Context(), "gala", []string{"1A"}, "ann", seatlock.Terms{Order: "o1"}))
	require.Eventually(t, func() bool { return len(shop.received("gala")) == 2 }, redistest.WaitLimit, time.Millisecond)
	require.Eventually(t, func() bool { // Redis 8.0-M01 answers WAIT before the replica has loaded its first copy
		sale, err := replica.Admin(t).Get(t.Context(), "seat:{gala}:1A").Result()
		return err == nil && strings.HasPrefix(sale, "sold:")
	}, redistest.WaitLimit, 10*time.Millisecond)

	replica.Pause(t)
	require.NoError(t, b.redis.ClientKillByFilter(t.Context(), "TYPE", "replica").Err()) // what it sent would wait in the socket
	b.reserve(t, "gala", "1C")
	require.Eventually(t, func() bool { return shop.table("gala")["1C"] == "held" }, redistest.WaitLimit, time.Millisecond)
	primary.Kill(t)
	replica.Resume(t)
	require.Eventually(t, func() bool { // when the replica is the primary
		_, err := locker.Reserve(t.Context(), "gala", []string{"1D"}, "ann")
		return err == nil
	}, redistest.WaitLimit, time.Millisecond)
	require.Eventually(t, func() bool { return shop.table("gala")["1D"] == "held" }, redistest.WaitLimit, time.Millisecond)
	require.Equal(t, map[string]string{"1A": "sold ann o1", "1B": "held", "1D": "held"}, shop.table("gala"))
	shop.mu.Lock()
	defer shop.mu.Unlock()
	require.Positive(t, shop.resets)
}
