package seatlock_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// unreachable returns a client of a Redis that does not exist.
func unreachable(t *testing.T, maxRetries int) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: maxRetries, DialerRetries: 1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestLocker_RetriesLostReply(t *testing.T) {
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

func TestLocker_SendsSourceOfUnknownScript(t *testing.T) {
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

func TestLocker_SurvivesRestartOfRedis(t *testing.T) {
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

func TestLocker_IsUnavailableWithoutRedis(t *testing.T) {
	t.Parallel()
	locker := newLocker(t, unreachable(t, -1), 0)
	_, err := locker.Reserve(t.Context(), event, []string{"1A"}, ann)
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	require.NotErrorIs(t, err, seatlock.ErrOutcomeUnknown)
	require.ErrorIs(t, locker.Buy(t.Context(), event, []string{"1A"}, ann), seatlock.ErrUnavailable)
	_, err = locker.Status(t.Context(), event, "1A")
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	require.ErrorIs(t, locker.Check(t.Context()), seatlock.ErrUnavailable)
	require.ErrorIs(t, locker.Ping(t.Context()), seatlock.ErrUnavailable)
}

func TestLocker_IsUnavailableWithoutCluster(t *testing.T) {
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

// A client that retries by itself may hide an earlier attempt that ran.
func TestReserve_OutcomeUnknownIfClientRetries(t *testing.T) {
	t.Parallel()
	locker := newLocker(t, unreachable(t, 1), 0)
	_, err := locker.Reserve(t.Context(), event, []string{"1A"}, ann)
	require.ErrorIs(t, err, seatlock.ErrOutcomeUnknown)
	_, err = locker.Status(t.Context(), event, "1A")
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
}

func TestReserve_OutcomeUnknownIfRedisStalls(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	client := r.Client(t)
	require.NoError(t, newLocker(t, client, time.Minute).Ping(t.Context()))
	locker := newLocker(t, client, time.Second) // enough to send a command

	r.Pause(t)
	_, err := locker.Reserve(t.Context(), event, []string{"1A"}, ann)
	require.ErrorIs(t, err, seatlock.ErrOutcomeUnknown)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	_, err = locker.Status(t.Context(), event, "1A")
	require.ErrorIs(t, err, seatlock.ErrUnavailable)

	r.Resume(t)
	require.Eventually(t, func() bool {
		_, err := locker.Reserve(t.Context(), event, []string{"1A"}, ann)
		return err == nil
	}, redistest.WaitLimit, time.Millisecond, "the repeated call gets no answer")
}

func TestReserve_IsNotSentIfContextEnded(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	b := setup(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.locker.Reserve(ctx, event, []string{"1A"}, ann)
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	b.status(t, "1A", seatlock.Available)
}

func TestReserve_IsUnavailableIfRedisRefuses(t *testing.T) {
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

func TestReserve_ReturnsBugAsNeitherOutageNorRefusal(t *testing.T) {
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

// replyHook replaces the replies of scripts.
type replyHook struct {
	scanHook
	reply []int64
}

func (h replyHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		if cmd, ok := cmds[0].(*redis.IntSliceCmd); ok {
			cmd.SetVal(h.reply)
		}
		return err
	}
}

// A reply that no script gives is neither a success nor a refusal.
func TestLocker_OutcomeUnknownIfReplyHasOtherShape(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	b := setup(t, r)
	for _, reply := range [][]int64{{9, 9}, {2, 1}, {0, 9, -1}, {1}} {
		client := r.Client(t)
		client.AddHook(replyHook{reply: reply})
		locker := newLocker(t, client, time.Minute)
		b.reserve(t, ann, "1A")
		_, err := locker.Reserve(t.Context(), event, []string{"1A"}, ann)
		require.ErrorIs(t, err, seatlock.ErrOutcomeUnknown, "%v", reply)
		_, err = locker.Extend(t.Context(), event, []string{"1A"}, ann)
		require.ErrorIs(t, err, seatlock.ErrOutcomeUnknown, "%v", reply)
		require.ErrorIs(t, locker.Release(t.Context(), event, []string{"1A"}, ann), seatlock.ErrOutcomeUnknown, "%v", reply)
		b.reserve(t, ann, "1A")
		require.ErrorIs(t, locker.Buy(t.Context(), event, []string{"1A"}, ann), seatlock.ErrOutcomeUnknown, "%v", reply)
		require.NoError(t, b.redis.FlushAll(t.Context()).Err())
	}
}
