package seatlock_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func TestCheck_NamesUnsafeSetting(t *testing.T) {
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

// Redis answers, but not with its configuration.
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

// The user booking of knative/redis/users.acl may run the commands of the service, as all
// other tests show, and no others.
func TestACL_ForbidsOtherCommands(t *testing.T) {
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
