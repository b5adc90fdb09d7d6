package seatlock_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// requireUnsafe requires that Check and Buy refuse the Redis of b because of want, and that Buy
// changes nothing.
func (b *testBundle) requireUnsafe(t *testing.T, want string) {
	t.Helper()
	err := b.locker.Check(t.Context())
	require.ErrorIs(t, err, seatlock.ErrUnsafe)
	require.ErrorContains(t, err, want)
	b.reserve(t, ann, "1A")
	err = b.locker.Buy(t.Context(), event, []string{"1A"}, ann)
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	require.ErrorContains(t, err, want)
	b.status(t, "1A", seatlock.Reserved)
}

func TestDurable_NamesSettingAndRefusesSales(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t, "--appendonly", "yes", "--appendfsync", "always")
	b := setupWith(t, r, seatlock.Options{Durable: true})
	require.NoError(t, b.locker.Check(t.Context()))
	for _, c := range []struct {
		name   string
		spoil  []any
		repair []any
		want   string
	}{
		{"Off", []any{"config", "set", "appendonly", "no"}, []any{"config", "set", "appendonly", "yes"}, `appendonly is "no", set it to yes`},
		{"EverySecond", []any{"config", "set", "appendfsync", "everysec"}, []any{"config", "set", "appendfsync", "always"}, `appendfsync is "everysec", set it to always`},
		{"NotDuringRewrite", []any{"config", "set", "no-appendfsync-on-rewrite", "yes"}, []any{"config", "set", "no-appendfsync-on-rewrite", "no"}, `no-appendfsync-on-rewrite is "yes", set it to no`},
		{"NoConfigGet", []any{"acl", "setuser", "booking", "-config|get"}, []any{"acl", "setuser", "booking", "+config|get"}, "appendfsync can't be read, allow its user +config|get"},
		{"NoDryRun", []any{"acl", "setuser", "booking", "-acl|dryrun"}, []any{"acl", "setuser", "booking", "+acl|dryrun"}, "the rights of the user default can't be read, allow its user +acl|dryrun"},
		{"DefaultWithoutCommands", []any{"acl", "setuser", "default", "-xadd"}, []any{"acl", "setuser", "default", "allcommands"}, "give it allkeys allcommands"},
		{"DefaultWithoutKeys", []any{"acl", "setuser", "default", "resetkeys", "~seats:*"}, []any{"acl", "setuser", "default", "allkeys"}, "give it allkeys allcommands"},
		{"Evicts", []any{"config", "set", "maxmemory-policy", "volatile-lru"}, []any{"config", "set", "maxmemory-policy", "noeviction"}, `maxmemory-policy is "volatile-lru", set it to noeviction`},
	} {
		require.NoError(t, b.redis.Do(t.Context(), c.spoil...).Err(), c.name)
		b.requireUnsafe(t, c.want)
		require.NoError(t, b.redis.Do(t.Context(), c.repair...).Err(), c.name)
		require.Eventually(t, func() bool { return b.locker.Check(t.Context()) == nil }, redistest.WaitLimit, time.Millisecond, c.name)
	}
	b.buy(t, ann, "1A")
}

// Until the first rewrite after "appendonly yes" has ended, a crash loses every sale. The second
// time, an older file exists, and INFO shows its size.
func TestDurable_WaitsForCompleteFile(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t, "--appendfsync", "always")
	b := setupWith(t, r, seatlock.Options{Durable: true})
	b.requireUnsafe(t, `appendonly is "no", set it to yes in the configuration file`)
	// A rewrite takes the delay for each of about 100 keys.
	for i := range 100 {
		require.NoError(t, b.redis.Set(t.Context(), fmt.Sprint(i), "", 0).Err())
	}
	delay := func(microseconds int) {
		t.Helper()
		require.NoError(t, b.redis.ConfigSet(t.Context(), "rdb-key-save-delay", fmt.Sprint(microseconds)).Err())
	}
	for range 2 {
		delay(10_000_000)
		require.NoError(t, b.redis.ConfigSet(t.Context(), "appendonly", "yes").Err())
		b.requireUnsafe(t, "the append-only file is not complete yet, wait until its first rewrite has ended")
		require.NoError(t, b.redis.ConfigSet(t.Context(), "appendonly", "no").Err()) // ends the slow rewrite
		b.requireUnsafe(t, `appendonly is "no", set it to yes`)
		delay(0)
		require.NoError(t, b.redis.ConfigSet(t.Context(), "appendonly", "yes").Err())
		require.Eventually(t, func() bool { return b.locker.Check(t.Context()) == nil }, redistest.WaitLimit, time.Millisecond)

		// A later rewrite is harmless: the file before it is complete.
		delay(10_000_000)
		require.NoError(t, b.redis.BgRewriteAOF(t.Context()).Err())
		require.NoError(t, b.locker.Check(t.Context()))
		require.NoError(t, b.redis.ConfigSet(t.Context(), "appendonly", "no").Err())
		require.ErrorIs(t, b.locker.Check(t.Context()), seatlock.ErrUnsafe)
	}
}

// wrongPassword returns clients whose connections Redis refuses: from the start, or after the
// password has changed and the connections were closed.
func wrongPassword(t *testing.T) map[string]*redis.Client {
	t.Helper()
	r := redistest.Server(t)
	opt := *r.Client(t).Options()
	opt.Password, opt.MaxRetries = "wrong", -1
	wrong := redis.NewClient(&opt)
	t.Cleanup(func() { _ = wrong.Close() })

	rotated := redistest.Server(t)
	client, admin := rotated.Client(t), rotated.Admin(t)
	require.NoError(t, client.Ping(t.Context()).Err())
	require.NoError(t, admin.Do(t.Context(), "acl", "setuser", "booking", "resetpass", ">new").Err())
	require.NoError(t, admin.Do(t.Context(), "client", "kill", "user", "booking").Err())
	return map[string]*redis.Client{"Wrong": wrong, "Rotated": client}
}

func TestLocker_IsUnavailableIfPasswordIsWrong(t *testing.T) {
	t.Parallel()
	for name, client := range wrongPassword(t) {
		for _, opt := range []seatlock.Options{{}, {SaleReplicas: 1}, {Durable: true}} {
			opt.Timeout = time.Minute
			locker, err := seatlock.New(client, opt)
			require.NoError(t, err)
			_, err = locker.Status(t.Context(), event, "1A")
			require.ErrorIs(t, err, seatlock.ErrUnavailable, name)
			_, err = locker.Map(t.Context(), event)
			require.ErrorIs(t, err, seatlock.ErrUnavailable, name)
			_, err = locker.Reserve(t.Context(), event, []string{"1A"}, ann)
			require.ErrorIs(t, err, seatlock.ErrUnavailable, name)
			_, err = locker.Extend(t.Context(), event, []string{"1A"}, ann)
			require.ErrorIs(t, err, seatlock.ErrUnavailable, name)
			require.ErrorIs(t, locker.Buy(t.Context(), event, []string{"1A"}, ann), seatlock.ErrUnavailable, name)
			require.ErrorIs(t, locker.Release(t.Context(), event, []string{"1A"}, ann), seatlock.ErrUnavailable, name)
			_, err = locker.Changes(t.Context(), event, seatlock.NoChange, 1)
			require.ErrorIs(t, err, seatlock.ErrUnavailable, name)
			require.ErrorIs(t, locker.Check(t.Context()), seatlock.ErrUnavailable, name)
		}
	}
}

// A refused connection is an outage, whatever the error says.
func TestLocker_IsUnavailableIfConnectionIsRefused(t *testing.T) {
	t.Parallel()
	opt := *redistest.Bare(t).Client(t).Options()
	opt.DB, opt.MaxRetries = 99, -1 // ERR DB index is out of range
	client := redis.NewClient(&opt)
	t.Cleanup(func() { _ = client.Close() })
	locker := newLocker(t, client, time.Minute)
	_, err := locker.Status(t.Context(), event, "1A")
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	require.ErrorIs(t, locker.Buy(t.Context(), event, []string{"1A"}, ann), seatlock.ErrUnavailable)
}
