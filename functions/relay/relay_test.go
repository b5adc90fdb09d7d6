package relay_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/functions/relay"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

type testBundle struct {
	locker *seatlock.Locker
	redis  *redis.Client // may run any command
}

func setup(t testing.TB, r *redistest.Redis, opt seatlock.Options) *testBundle {
	t.Helper()
	opt.Timeout = time.Minute
	locker, err := seatlock.New(r.Client(t), opt)
	require.NoError(t, err)
	return &testBundle{locker, r.Admin(t)}
}

func (b *testBundle) put(t testing.TB, event string) {
	t.Helper()
	_, _, err := b.locker.PutEvent(t.Context(), event, seatlock.Put{})
	require.NoError(t, err)
}

func (b *testBundle) reserve(t *testing.T, event string, seats ...string) {
	t.Helper()
	_, err := b.locker.Reserve(t.Context(), event, seats, "ann")
	require.NoError(t, err)
}

// journal returns the IDs of all entries of an event.
func (b *testBundle) journal(t *testing.T, event string) (ids []string) {
	t.Helper()
	for after := seatlock.NoChange; ; after = ids[len(ids)-1] {
		entries, err := b.locker.Journal(t.Context(), event, after, 1000)
		require.NoError(t, err)
		for _, e := range entries {
			ids = append(ids, e.ID)
		}
		if len(entries) < 1000 {
			return ids
		}
	}
}

// table returns the seats of an event that are not Available, as a receiver has them.
func (b *testBundle) table(t *testing.T, event string) map[string]string {
	t.Helper()
	found, err := b.locker.Map(t.Context(), event)
	require.NoError(t, err)
	table := map[string]string{}
	for _, seat := range found.Seats {
		switch seat.Status {
		case seatlock.Blocked:
			table[seat.ID] = "blocked"
		case seatlock.Reserved:
			table[seat.ID] = "held"
		case seatlock.Sold:
			value, err := b.redis.Get(t.Context(), "seat:{"+event+"}:"+seat.ID).Result()
			require.NoError(t, err)
			_, owner, _ := strings.Cut(strings.TrimPrefix(value, "sold:"), ":")
			order, user, _ := strings.Cut(owner, " ")
			table[seat.ID] = "sold " + user + " " + order
		}
	}
	return table
}

// errKilled is the error of each command of a process that was killed.
var errKilled = errors.New("killed")

// process is a relay that can be killed: from then on it sends no command.
type process struct {
	*seatlock.Locker
	killed atomic.Bool
	cancel context.CancelFunc
	done   chan struct{}
	relay  *relay.Relay

	outages atomic.Int64 // how many commands of its leases met no Redis
}

// start starts a relay that sends to a sink.
func (b *testBundle) start(t testing.TB, opt relay.Options) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &process{Locker: b.locker, cancel: cancel, done: make(chan struct{})}
	opt.Backoff = 2 * time.Millisecond
	p.relay = relay.NewFrom(p, opt)
	go func() {
		defer close(p.done)
		p.relay.Run(ctx)
	}()
	t.Cleanup(p.stop)
	return p
}

func (p *process) Events(ctx context.Context, after string, limit int) ([]string, error) {
	if p.killed.Load() {
		return nil, errKilled
	}
	return p.Locker.Events(ctx, after, limit)
}

func (p *process) Journal(ctx context.Context, event, after string, limit int) ([]seatlock.Entry, error) {
	if p.killed.Load() {
		return nil, errKilled
	}
	return p.Locker.Journal(ctx, event, after, limit)
}

func (p *process) NewRelay(event string, kept int) (relay.Lease, error) {
	lease, err := p.Locker.NewRelay(event, kept)
	return processLease{lease, p}, err
}

func (p *process) Subscribe() relay.Subscription { return p.Locker.Subscribe() }

type processLease struct {
	*seatlock.Relay
	process *process
}

func (l processLease) Refresh(ctx context.Context, sent string) (seatlock.RelayState, error) {
	if l.process.killed.Load() {
		return seatlock.RelayState{}, errKilled
	}
	state, err := l.Relay.Refresh(ctx, sent)
	if isOutage(err) {
		l.process.outages.Add(1)
	}
	return state, err
}

func (l processLease) Release(ctx context.Context, sent string) error {
	if l.process.killed.Load() {
		return errKilled
	}
	return l.Relay.Release(ctx, sent)
}

// stop ends the process as SIGTERM does, and waits for it.
func (p *process) stop() {
	p.cancel()
	<-p.done
}

// kill ends the process as a crash does: its requests are cut off and no lease is given back.
func (p *process) kill() {
	p.killed.Store(true)
	p.cancel()
}

func TestRelay_SendsEveryChange(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		for _, batch := range []int{1, 7} {
			b, shop := setup(t, r, seatlock.Options{}), newReceiver(t)
			event := fmt.Sprint("gala", batch)
			b.put(t, event)
			b.reserve(t, event, "1A", "1B")
			p := b.start(t, relay.Options{Batch: batch, Sink: sinkOptions(t, shop.url)})
			require.Eventually(t, func() bool { return len(shop.received(event)) == 1 }, redistest.WaitLimit, time.Millisecond, "what was there before")
			require.NoError(t, b.locker.BuyOn(t.Context(), event, []string{"1A"}, "ann", seatlock.Terms{Order: "o:1"}))
			require.NoError(t, b.locker.Exchange(t.Context(), event, []string{"1A"}, []string{"1C"}, "ann", seatlock.Terms{Order: "o:1"}))
			require.NoError(t, b.locker.Block(t.Context(), event, []string{"2A"}, "house", seatlock.Terms{}))
			require.NoError(t, b.locker.Release(t.Context(), event, []string{"1B"}, "ann"))
			require.Eventually(t, func() bool { return len(shop.received(event)) == 5 }, redistest.WaitLimit, time.Millisecond)
			require.Equal(t, b.journal(t, event), shop.received(event))
			require.Equal(t, map[string]string{"1C": "sold ann o:1", "2A": "blocked"}, shop.table(event))
			require.Equal(t, b.table(t, event), shop.table(event))
			require.Eventually(t, func() bool { return p.relay.Stats().Unsent == 0 }, redistest.WaitLimit, time.Millisecond)
			p.stop()
			stats := p.relay.Stats()
			require.EqualValues(t, 5, stats.Sent, "batch %d", batch)
			require.NoError(t, b.locker.DeleteEvent(t.Context(), event, true))
		}
	})
}

// Holds that end by themselves are sent, though the event has no reader.
func TestRelay_SendsExpiredHolds(t *testing.T) {
	t.Parallel()
	b, shop := setup(t, redistest.Server(t), seatlock.Options{HoldTime: 50 * time.Millisecond}), newReceiver(t)
	b.put(t, "gala")
	b.start(t, relay.Options{Sink: sinkOptions(t, shop.url)})
	b.reserve(t, "gala", "1A")
	require.Eventually(t, func() bool { return len(shop.received("gala")) == 2 }, redistest.WaitLimit, time.Millisecond)
	require.Empty(t, shop.table("gala"))
}

// More changes than are kept come while the sink does not answer. The shop hears that some are lost,
// and gets all later ones.
func TestRelay_TellsThatChangesWereTrimmed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b, shop := setup(t, r, seatlock.Options{}), newReceiver(t)
		b.put(t, "gala")
		b.reserve(t, "gala", "1A")
		b.start(t, relay.Options{Kept: 10_000, Sink: sinkOptions(t, shop.url)})
		require.Eventually(t, func() bool { return len(shop.received("gala")) == 1 }, redistest.WaitLimit, time.Millisecond)
		shop.setFaults(func(int) fault { return refuse })
		b.reserve(t, "gala", "1B")
		require.Eventually(t, func() bool { return shop.refused() > 0 }, redistest.WaitLimit, time.Millisecond)
		require.NoError(t, b.redis.Eval(t.Context(), `
			for i = 1, 10500 do redis.call('XADD', KEYS[1], 'MAXLEN', '~', 10000, '*', 'type', 'released', 'seats', '1Z') end
			return 1`, []string{"changes:{gala}"}).Err())
		shop.setFaults(nil)
		require.Eventually(t, func() bool {
			last, err := b.redis.XRevRangeN(t.Context(), "changes:{gala}", "+", "-", 1).Result()
			require.NoError(t, err)
			return b.redis.HGet(t.Context(), "relay:{gala}", "cursor").Val() == last[0].ID
		}, redistest.WaitLimit, time.Millisecond)
		b.reserve(t, "gala", "1C")
		require.Eventually(t, func() bool { return shop.table("gala")["1C"] == "held" }, redistest.WaitLimit, time.Millisecond)
		shop.mu.Lock()
		defer shop.mu.Unlock()
		require.Positive(t, shop.resets)
	})
}

// stormCalls is how many calls a storm makes for an event, or between two crashes of Redis.
var stormCalls = flag.Int("storm-calls", 120, "how many calls the tests TestRelay_RebuildsSeats make for each event, or between two crashes")

// The sink drops, repeats, delays and refuses; relays are killed at any point and started again, two
// at once. The shop ends with the seats that Redis has, and got every change in order.
func TestRelay_RebuildsSeatsThroughFaults(t *testing.T) {
	t.Parallel()
	for _, batch := range []int{1, 10} {
		t.Run(fmt.Sprint("Batch", batch), func(t *testing.T) {
			t.Parallel()
			b, shop := setup(t, redistest.Server(t), seatlock.Options{HoldTime: 300 * time.Millisecond, MaxHoldTime: time.Second}), newReceiver(t)
			shop.setFaults(func(request int) fault {
				switch {
				case request%25 == 24:
					return hang // onRequest kills the relay that sent it
				case request%3 == 1:
					return fault(1 + request/3%int(hang-1))
				}
				return noFault
			})
			events := []string{"gala", "opera", "derby"}
			for _, event := range events {
				b.put(t, event)
			}
			opt := relay.Options{Batch: batch, Sink: sinkOptions(t, shop.url)}
			var mu sync.Mutex // guards running
			running := []*process{b.start(t, opt), b.start(t, opt)}
			var kills sync.WaitGroup
			shop.setOnRequest(func(request int) {
				if request%25 != 24 && request%11 != 10 {
					return
				}
				kills.Go(func() { // both at once, and others in their place
					mu.Lock()
					defer mu.Unlock()
					for _, p := range running {
						p.kill()
						<-p.done
					}
					for _, event := range events { // as its time passes
						if err := b.redis.HSet(t.Context(), "relay:{"+event+"}", "ends", 1).Err(); err != nil {
							t.Error(err)
						}
					}
					running = []*process{b.start(t, opt), b.start(t, opt)}
				})
			})
			var load sync.WaitGroup
			for i, event := range events {
				load.Go(func() { b.storm(t, event, rand.New(rand.NewPCG(uint64(i), uint64(batch))), shop) })
			}
			load.Wait()
			b.requireRebuilt(t, shop, events)
			shop.mu.Lock()
			shop.onRequest, shop.faults = nil, nil
			met, repeats, resets := shop.met, shop.repeats, shop.resets
			shop.mu.Unlock()
			kills.Wait()
			for kind := range fault(numberOfFaults) {
				require.Positive(t, met[kind], "fault %d did not happen", kind)
			}
			require.Positive(t, repeats)
			require.Zero(t, resets)
		})
	}
}

// requireRebuilt requires that a shop ends with the seats that Redis has, and got every change in order.
func (b *testBundle) requireRebuilt(t *testing.T, shop *receiver, events []string) {
	t.Helper()
	for _, event := range events {
		require.Eventually(t, func() bool {
			table := b.table(t, event)
			for _, state := range table {
				if state == "held" {
					return false
				}
			}
			want := b.journal(t, event)
			got := shop.received(event)
			return len(want) == len(got) && fmt.Sprint(table) == fmt.Sprint(shop.table(event))
		}, redistest.WaitLimit, 10*time.Millisecond, "%s: %v", event, b.table(t, event))
		require.Equal(t, b.journal(t, event), shop.received(event), "no gap, and in order")
	}
}

// storm makes calls of users who don't wait for one another, until every fault of a shop has happened.
func (b *testBundle) storm(t *testing.T, event string, random *rand.Rand, shop *receiver) {
	for i := 0; i < *stormCalls || !shop.hasMetAll() && !t.Failed(); i++ {
		if err := b.call(t.Context(), event, random); isOutage(err) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

// isOutage reports whether an error means that Redis could not be reached.
func isOutage(err error) bool {
	return errors.Is(err, seatlock.ErrUnavailable) || errors.Is(err, seatlock.ErrOutcomeUnknown)
}

// call makes a call of a user for a seat.
func (b *testBundle) call(ctx context.Context, event string, random *rand.Rand) (err error) {
	seat, user := fmt.Sprintf("%d.A", random.IntN(12)), fmt.Sprint("u", random.IntN(4))
	seats, terms := []string{seat}, seatlock.Terms{Order: fmt.Sprint("o", user)}
	switch random.IntN(12) {
	default:
		_, err = b.locker.Reserve(ctx, event, seats, user)
	case 0, 1, 2:
		err = b.locker.BuyOn(ctx, event, seats, user, terms)
	case 3:
		err = b.locker.Return(ctx, event, seats, user, terms)
	case 4:
		err = b.locker.Release(ctx, event, seats, user)
	case 5:
		_, err = b.locker.Extend(ctx, event, seats, user)
	case 6:
		err = b.locker.Exchange(ctx, event, seats, []string{fmt.Sprintf("%d.A", random.IntN(12))}, user, terms)
	case 7:
		err = b.locker.Block(ctx, event, seats, "house", seatlock.Terms{})
	case 8:
		err = b.locker.Unblock(ctx, event, seats, "house", seatlock.Terms{})
	}
	return err
}
