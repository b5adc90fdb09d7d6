package seatlock_test

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func newLocker(t *testing.T, client *redis.Client, timeout time.Duration) *seatlock.Locker {
	t.Helper()
	locker, err := seatlock.New(client, seatlock.Options{Timeout: timeout})
	require.NoError(t, err)
	return locker
}

// gone is a client of a Redis that is not there.
func gone(t *testing.T, maxRetries int) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: maxRetries, DialerRetries: 1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestALostReplyIsNoRefusal(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		proxy := redistest.NewProxy(t, r)
		locker := newLocker(t, r.Client(t, proxy.Addr), time.Minute)
		require.NoError(t, locker.Ping(t.Context()))

		proxy.LoseNextReply()
		_, err := locker.Reserve(t.Context(), event, []string{"1A", "1B"}, ann)
		require.NoError(t, err)
		require.EqualValues(t, 1, proxy.Lost.Load())

		proxy.LoseNextReply()
		require.NoError(t, locker.Buy(t.Context(), event, []string{"1A"}, ann))
		require.EqualValues(t, 2, proxy.Lost.Load())
	})
}

func TestAScriptThatRedisForgotIsSentAgain(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		for _, seat := range []string{"1A", "1B", "1C"} {
			require.NoError(t, b.redis.ScriptFlush(t.Context()).Err())
			b.reserve(t, ann, seat)
			require.NoError(t, b.redis.ScriptFlush(t.Context()).Err())
			b.buy(t, ann, seat)
		}
	})
}

func TestARestartOfRedisIsInvisible(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t, "--appendonly", "yes", "--appendfsync", "always")
	b := setup(t, r)
	b.reserve(t, ann, "1A", "1B", "1C", "1D")
	b.buy(t, ann, "1A")
	b.buy(t, ann, "1B", "1C")
	r.Kill(t)
	r.Start(t)
	for _, seat := range []string{"1A", "1B", "1C"} {
		b.status(t, seat, seatlock.Sold)
	}
	b.buy(t, ann, "1D")
}

func TestARedisThatIsGoneIsUnavailable(t *testing.T) {
	t.Parallel()
	locker := newLocker(t, gone(t, -1), 0)
	_, err := locker.Reserve(t.Context(), event, []string{"1A"}, ann)
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	require.NotErrorIs(t, err, seatlock.ErrOutcomeUnknown)
	require.ErrorIs(t, locker.Buy(t.Context(), event, []string{"1A"}, ann), seatlock.ErrUnavailable)
	_, err = locker.Status(t.Context(), event, "1A")
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	require.ErrorIs(t, locker.Check(t.Context()), seatlock.ErrUnavailable)
	require.ErrorIs(t, locker.Ping(t.Context()), seatlock.ErrUnavailable)
}

// Redis answers, but does not tell how it is set up.
func TestCheck_NeedsInfo(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	locker := newLocker(t, r.Client(t), time.Minute)
	require.NoError(t, locker.Check(t.Context()))
	require.NoError(t, r.Admin(t).Do(t.Context(), "acl", "setuser", "booking", "-info").Err())
	err := locker.Check(t.Context())
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	require.ErrorContains(t, err, "NOPERM")
}

func TestLocker_TakesAClusterThatIsGoneForAnOutage(t *testing.T) {
	t.Parallel()
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}, DialerRetries: 1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	locker, err := seatlock.New(client, seatlock.Options{})
	require.NoError(t, err)
	_, err = locker.Reserve(t.Context(), event, []string{"1A"}, ann)
	require.ErrorIs(t, err, seatlock.ErrOutcomeUnknown)
	_, err = locker.Status(t.Context(), event, "1A")
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	require.ErrorIs(t, locker.Check(t.Context()), seatlock.ErrUnavailable)
}

// A client that retries by itself may hide that an earlier attempt came through.
func TestADialErrorProvesNothingWhereTheClientRetries(t *testing.T) {
	t.Parallel()
	locker := newLocker(t, gone(t, 1), 0)
	_, err := locker.Reserve(t.Context(), event, []string{"1A"}, ann)
	require.ErrorIs(t, err, seatlock.ErrOutcomeUnknown)
	_, err = locker.Status(t.Context(), event, "1A")
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
}

func TestAStalledRedisLeavesTheOutcomeUnknown(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	client := r.Client(t)
	require.NoError(t, newLocker(t, client, time.Minute).Ping(t.Context()))
	locker := newLocker(t, client, time.Second) // enough to send what is not answered

	r.Signal(t, syscall.SIGSTOP)
	_, err := locker.Reserve(t.Context(), event, []string{"1A"}, ann)
	require.ErrorIs(t, err, seatlock.ErrOutcomeUnknown)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	_, err = locker.Status(t.Context(), event, "1A")
	require.ErrorIs(t, err, seatlock.ErrUnavailable)

	r.Signal(t, syscall.SIGCONT)
	require.Eventually(t, func() bool {
		_, err := locker.Reserve(t.Context(), event, []string{"1A"}, ann)
		return err == nil
	}, redistest.Patience, time.Millisecond, "the repeated call does not settle it")
}

func TestARequestThatWasGivenUpIsNotSent(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	b := setup(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.locker.Reserve(ctx, event, []string{"1A"}, ann)
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	b.status(t, "1A", seatlock.Available)
}

func TestARefusalByRedisIsUnavailable(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{
		"LOADING Redis is loading the dataset in memory",
		"READONLY You can't write against a read only replica.",
		"OOM command not allowed when used memory > 'maxmemory'.",
		"NOREPLICAS Not enough good replicas to write.",
		"CLUSTERDOWN The cluster is down",
		"TRYAGAIN Multiple keys request during rehashing of slot",
		"MASTERDOWN Link with MASTER is down",
		"ERR max number of clients reached",
		"NOPERM this user has no permissions to run the 'evalsha' command",
	} {
		t.Run(reply, func(t *testing.T) {
			t.Parallel()
			r := redistest.Mini(t)
			b := setup(t, r)
			require.NoError(t, b.locker.Ping(t.Context()))
			r.Mini.SetError(reply)
			_, err := b.locker.Reserve(t.Context(), event, []string{"1A"}, ann)
			require.ErrorIs(t, err, seatlock.ErrUnavailable)
			require.ErrorContains(t, err, reply)
		})
	}
}

func TestAnUnexpectedErrorIsNeitherOutageNorRefusal(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	b := setup(t, r)
	r.Mini.SetError("ERR Error running script")
	_, err := b.locker.Reserve(t.Context(), event, []string{"1A"}, ann)
	require.Error(t, err)
	for _, not := range []error{seatlock.ErrTaken, seatlock.ErrUnavailable, seatlock.ErrOutcomeUnknown} {
		require.NotErrorIs(t, err, not)
	}
}

func TestFullMemoryKeepsGroupsWholeAndSales(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t, "--maxmemory-policy", "noeviction")
	b := setup(t, r)
	b.reserve(t, ann, "1A")
	b.buy(t, ann, "1A")
	require.NoError(t, b.redis.ConfigSet(t.Context(), "maxmemory", "1").Err())
	_, err := b.locker.Reserve(t.Context(), event, []string{"2A", "2B", "2C"}, bob)
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	require.NoError(t, b.redis.ConfigSet(t.Context(), "maxmemory", "0").Err())
	b.status(t, "1A", seatlock.Sold)
	for _, seat := range []string{"2A", "2B", "2C"} {
		b.status(t, seat, seatlock.Available)
	}
}

// A flood of holds fills Redis. Who holds a seat can still buy it, or let it go.
func TestBuy_SellsWhenMemoryIsFull(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t, "--maxmemory-policy", "noeviction")
	b := setup(t, r)
	b.reserve(t, ann, "1A", "1B", "1C")
	require.NoError(t, b.redis.ConfigSet(t.Context(), "maxmemory", "1").Err())
	_, err := b.locker.Reserve(t.Context(), event, []string{"2A"}, bob)
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	b.buy(t, ann, "1A", "1B")
	require.NoError(t, b.locker.Release(t.Context(), event, []string{"1C"}, ann))
	b.status(t, "1A", seatlock.Sold)
	b.status(t, "1C", seatlock.Available)
	require.Equal(t, []string{"held[1A 1B 1C]", "sold[1A 1B]", "released[1C]"}, b.changes(t, seatlock.NoChange))
}

func TestCheckNamesTheUnsafeSetting(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Server(t))
	require.NoError(t, b.redis.ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err())
	require.NoError(t, b.locker.Check(t.Context()))
	require.NoError(t, b.redis.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
	err := b.locker.Check(t.Context())
	require.ErrorIs(t, err, seatlock.ErrUnsafe)
	require.ErrorContains(t, err, `maxmemory-policy is "allkeys-lru", set it to noeviction`)
	require.NoError(t, b.redis.ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err())
	require.NoError(t, b.redis.ReplicaOf(t.Context(), "127.0.0.1", "1").Err())
	err = b.locker.Check(t.Context())
	require.ErrorIs(t, err, seatlock.ErrUnsafe)
	require.ErrorContains(t, err, `role is "slave", give the address of the primary`)
}

// The user that knative/redis/users.acl makes can do what the service does, as all
// other tests show, and no more.
func TestTheServiceMayDoNothingElse(t *testing.T) {
	t.Parallel()
	client := redistest.Server(t).Client(t)
	for _, command := range [][]any{
		{"flushall"}, {"keys", "*"}, {"config", "set", "appendfsync", "no"}, {"getdel", "seat:{gala}:1A"}, {"del", "other"}, {"expire", "seat:{gala}:1A", 1},
		{"get", "seat:{gala}:1A"}, {"set", "other", "x"}, {"script", "flush"}, {"acl", "list"}, {"shutdown"}, {"replicaof", "no", "one"},
		{"eval", "return redis.call('set', KEYS[1], 'x')", 1, "other"},
	} {
		require.ErrorContains(t, client.Do(t.Context(), command...).Err(), "perm", command)
	}
}
