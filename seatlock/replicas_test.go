package seatlock_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// replicated returns a primary and its replica, which has caught up.
func replicated(t *testing.T) (primary, replica *redistest.Redis) {
	t.Helper()
	primary = redistest.Bare(t, "--repl-diskless-sync-delay", "0")
	host, port, err := net.SplitHostPort(primary.Addr)
	require.NoError(t, err)
	replica = redistest.Bare(t, "--replicaof", host+" "+port)
	require.Eventually(t, func() bool { return primary.Admin(t).Wait(t.Context(), 1, time.Second).Val() == 1 },
		redistest.WaitLimit, time.Millisecond, "the replica does not connect")
	return primary, replica
}

func TestBuy_WaitsForReplicas(t *testing.T) {
	t.Parallel()
	primary, replica := replicated(t)
	b := setupWith(t, primary, seatlock.Options{SaleReplicas: 1})
	for range 20 {
		b.reserve(t, ann, "1A", "1B")
		b.buy(t, ann, "1A", "1B")
		for _, seat := range []string{"1A", "1B"} {
			require.Contains(t, replica.Admin(t).Get(t.Context(), "seat:{gala}:"+seat).Val(), "sold:")
		}
		require.NoError(t, b.redis.FlushAll(t.Context()).Err())
	}
}

func TestBuy_OutcomeUnknownUntilReplicasHaveSale(t *testing.T) {
	t.Parallel()
	primary, replica := replicated(t)
	opt := seatlock.Options{Timeout: 2 * time.Second, SaleReplicas: 1}
	locker, err := seatlock.New(primary.Client(t), opt)
	require.NoError(t, err)
	withoutReplicas := setupWith(t, primary, seatlock.Options{})
	withoutReplicas.reserve(t, ann, "1A")

	replica.Pause(t)
	require.ErrorIs(t, locker.Buy(t.Context(), event, []string{"1A"}, ann), seatlock.ErrOutcomeUnknown)
	require.ErrorIs(t, locker.Buy(t.Context(), event, []string{"1A"}, ann), seatlock.ErrOutcomeUnknown, "repeated")
	// WAIT on a connection that has written nothing does not wait.
	another, err := seatlock.New(primary.Client(t), opt)
	require.NoError(t, err)
	require.ErrorIs(t, another.Buy(t.Context(), event, []string{"1A"}, ann), seatlock.ErrOutcomeUnknown, "by another process")

	withoutReplicas.status(t, "1A", seatlock.Sold)
	require.ErrorIs(t, locker.Buy(t.Context(), event, []string{"1A"}, bob), seatlock.ErrHeldByOther, "a refusal does not wait for replicas")

	replica.Resume(t)
	require.Eventually(t, func() bool { return locker.Buy(t.Context(), event, []string{"1A"}, ann) == nil },
		redistest.WaitLimit, time.Millisecond, "the repeated call does not succeed")
	require.Contains(t, replica.Admin(t).Get(t.Context(), "seat:{gala}:1A").Val(), "sold:")
	require.Len(t, withoutReplicas.changes(t, seatlock.NoChange), 2, "held and sold once")
}

// Buy writes nothing if too few replicas are online.
func TestBuy_RefusesWithoutReplicas(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]func(*testing.T) seatlock.Client{
		"Single":  func(t *testing.T) seatlock.Client { return redistest.Server(t).Client(t) },
		"Cluster": func(t *testing.T) seatlock.Client { return redistest.ClusterClient(t, redistest.Cluster(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			locker, err := seatlock.New(client(t), seatlock.Options{Timeout: time.Minute, SaleReplicas: 1})
			require.NoError(t, err)
			_, err = locker.Reserve(t.Context(), event, []string{"1A"}, ann)
			require.NoError(t, err)
			err = locker.Buy(t.Context(), event, []string{"1A"}, ann)
			require.ErrorIs(t, err, seatlock.ErrUnavailable)
			require.ErrorIs(t, err, seatlock.ErrUnsafe)
			require.ErrorContains(t, err, "0 of the 1 replicas that a sale waits for are online, start more")
			require.ErrorIs(t, locker.Check(t.Context()), seatlock.ErrUnsafe)
			seat, err := locker.Status(t.Context(), event, "1A")
			require.NoError(t, err)
			require.Equal(t, seatlock.Reserved, seat.Status)
		})
	}
}

func TestBuy_SellsAgainWhenReplicaIsBack(t *testing.T) {
	t.Parallel()
	primary, replica := replicated(t)
	locker := setupWith(t, primary, seatlock.Options{SaleReplicas: 1}).locker
	_, err := locker.Reserve(t.Context(), event, []string{"1A"}, ann)
	require.NoError(t, err)
	require.NoError(t, locker.Check(t.Context()))
	replica.Kill(t)
	require.Eventually(t, func() bool { return errors.Is(locker.Check(t.Context()), seatlock.ErrUnsafe) }, redistest.WaitLimit, time.Millisecond)
	require.ErrorIs(t, locker.Buy(t.Context(), event, []string{"1A"}, ann), seatlock.ErrUnavailable)
	replica.Start(t)
	require.Eventually(t, func() bool { return locker.Buy(t.Context(), event, []string{"1A"}, ann) == nil }, redistest.WaitLimit, time.Millisecond)
}
