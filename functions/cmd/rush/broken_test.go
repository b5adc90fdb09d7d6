package main

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/changes"
	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/functions/internal/readiness"
	"booking/functions/internal/redisclient"
	"booking/seatlock"
	"booking/seatlock/oracle"
)

// brokenLocker is a Locker with a bug in reserve or buy; nil has none.
type brokenLocker struct {
	*seatlock.Locker
	redis   redis.UniversalClient
	reserve func(ctx context.Context, b brokenLocker, event string, seats []string, user string) (seatlock.Hold, error)
	buy     func(ctx context.Context, b brokenLocker, event string, seats []string, user string) error
}

func (b brokenLocker) Reserve(ctx context.Context, event string, seats []string, user string) (seatlock.Hold, error) {
	if b.reserve == nil {
		return b.Locker.Reserve(ctx, event, seats, user)
	}
	return b.reserve(ctx, b, event, seats, user)
}

func (b brokenLocker) Buy(ctx context.Context, event string, seats []string, user string) error {
	if b.buy == nil {
		return b.Locker.Buy(ctx, event, seats, user)
	}
	return b.buy(ctx, b, event, seats, user)
}

// free deletes the keys of the seats.
func (b brokenLocker) free(ctx context.Context, event string, seats []string) {
	for _, seat := range seats {
		b.redis.Del(ctx, "seat:{"+event+"}:"+seat)
	}
}

// noNX gives seats to the last user who asks.
func noNX(ctx context.Context, b brokenLocker, event string, seats []string, user string) (seatlock.Hold, error) {
	hold, err := b.Locker.Reserve(ctx, event, seats, user)
	if errors.Is(err, seatlock.ErrTaken) {
		b.free(ctx, event, seats)
		return b.Locker.Reserve(ctx, event, seats, user)
	}
	return hold, err
}

// noOwner sells seats to any user who pays.
func noOwner(ctx context.Context, b brokenLocker, event string, seats []string, user string) error {
	err := b.Locker.Buy(ctx, event, seats, user)
	if errors.Is(err, seatlock.ErrHeldByOther) || errors.Is(err, seatlock.ErrHoldExpired) {
		b.free(ctx, event, seats)
		if _, err := b.Locker.Reserve(ctx, event, seats, user); err != nil {
			return err
		}
		return b.Locker.Buy(ctx, event, seats, user)
	}
	return err
}

// loseSale returns a buy that loses one sale after its success.
func loseSale() func(ctx context.Context, b brokenLocker, event string, seats []string, user string) error {
	var once sync.Once
	return func(ctx context.Context, b brokenLocker, event string, seats []string, user string) error {
		err := b.Locker.Buy(ctx, event, seats, user)
		if err == nil {
			once.Do(func() {
				b.free(ctx, event, seats)
				for _, seat := range seats {
					b.redis.ZRem(ctx, "seats:{"+event+"}", seat)
				}
			})
		}
		return err
	}
}

// splitGroup holds only the first seat of a group, and says that it holds all.
func splitGroup(ctx context.Context, b brokenLocker, event string, seats []string, user string) (seatlock.Hold, error) {
	return b.Locker.Reserve(ctx, event, seats[:1], user)
}

func TestRush_FindsBrokenPromises(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		locker brokenLocker
		breaks []oracle.Promise // at least one of them
	}{
		{"None", brokenLocker{}, nil},
		{"NXRemoved", brokenLocker{reserve: noNX}, []oracle.Promise{oracle.OneHolder}},
		{"OwnerCheckRemoved", brokenLocker{buy: noOwner}, []oracle.Promise{oracle.HoldFirst, oracle.OneBuyer, oracle.OneHolder}},
		{"SaleLost", brokenLocker{buy: loseSale()}, []oracle.Promise{oracle.SalesLast, oracle.OneBuyer, oracle.OneHolder}},
		{"GroupSplit", brokenLocker{reserve: splitGroup}, []oracle.Promise{oracle.OneHolder, oracle.OwnerServed, oracle.GroupsWhole}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := serveBroken(t, c.locker)
			var stdout, stderr bytes.Buffer
			args := []string{"-url", url, "-users", "200", "-seats", "40", "-duration", "5s", "-think", "200ms", "-seed", "7",
				"-cheat", "0.1", "-groups", "0.5", "-abandon", "0", "-dawdle", "0", "-hoard", "0"}
			status := realMain(t.Context(), args, func(string) string { return "" }, &stdout, &stderr)
			if c.breaks == nil {
				require.Equal(t, statusKept, status, stdout.String())
				return
			}
			require.Equal(t, statusBroken, status, stdout.String())
			require.Contains(t, stdout.String(), "promises BROKEN: ")
			require.True(t, mentions(stdout.String(), c.breaks), stdout.String())
			require.Regexp(t, `(?m)^\t.* by buyer-\d+: `, stdout.String(), "it shows the calls that prove it")
		})
	}
}

func mentions(text string, promises []oracle.Promise) bool {
	for _, p := range promises {
		if bytes.Contains([]byte(text), []byte("broken: "+p)) {
			return true
		}
	}
	return false
}

// serveBroken serves the functions over b and an embedded Redis.
func serveBroken(t *testing.T, b brokenLocker) (url string) {
	t.Helper()
	url, closeRedis, err := redisclient.Embed()
	require.NoError(t, err)
	t.Cleanup(closeRedis)
	client, err := redisclient.Open(redisclient.Options{Mode: redisclient.Single, URL: url, Timeout: 30 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	b.redis = client
	b.Locker, err = seatlock.New(client, seatlock.Options{HoldTime: 10 * time.Second, Timeout: 30 * time.Second})
	require.NoError(t, err)
	monitor := readiness.New(b.Ping)
	handler, err := functions.Handler("", functions.Deps{Locker: b, Catalog: catalog.New(b.Locker, catalog.Options{}), Halls: hall.New(b.Locker), Rules: api.Rules{MaxSeats: api.MaxSeats}, Streams: changes.Options{Stop: monitor.DrainStarted()}}, monitor)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
