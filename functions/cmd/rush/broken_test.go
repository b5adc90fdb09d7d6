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
	"booking/functions/internal/readiness"
	"booking/functions/internal/redisclient"
	"booking/seatlock"
	"booking/seatlock/oracle"
)

// broken is a Locker with a fault that somebody might make.
type broken struct {
	*seatlock.Locker
	redis   redis.UniversalClient
	reserve func(b broken, ctx context.Context, event string, seats []string, user string) (seatlock.Hold, error)
	buy     func(b broken, ctx context.Context, event string, seats []string, user string) error
}

func (b broken) Reserve(ctx context.Context, event string, seats []string, user string) (seatlock.Hold, error) {
	if b.reserve == nil {
		return b.Locker.Reserve(ctx, event, seats, user)
	}
	return b.reserve(b, ctx, event, seats, user)
}

func (b broken) Buy(ctx context.Context, event string, seats []string, user string) error {
	if b.buy == nil {
		return b.Locker.Buy(ctx, event, seats, user)
	}
	return b.buy(b, ctx, event, seats, user)
}

// free forgets whatever is known of the seats.
func (b broken) free(ctx context.Context, event string, seats []string) {
	for _, seat := range seats {
		b.redis.Del(ctx, "seat:{"+event+"}:"+seat)
	}
}

// noNX gives seats to whoever asks last.
func noNX(b broken, ctx context.Context, event string, seats []string, user string) (seatlock.Hold, error) {
	hold, err := b.Locker.Reserve(ctx, event, seats, user)
	if errors.Is(err, seatlock.ErrTaken) {
		b.free(ctx, event, seats)
		return b.Locker.Reserve(ctx, event, seats, user)
	}
	return hold, err
}

// noOwner sells seats to whoever pays.
func noOwner(b broken, ctx context.Context, event string, seats []string, user string) error {
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

// losing forgets a sale after it was acknowledged, once.
func losing() func(b broken, ctx context.Context, event string, seats []string, user string) error {
	var once sync.Once
	return func(b broken, ctx context.Context, event string, seats []string, user string) error {
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

// splitting holds but the first seat of a group, and says that it holds all.
func splitting(b broken, ctx context.Context, event string, seats []string, user string) (seatlock.Hold, error) {
	return b.Locker.Reserve(ctx, event, seats[:1], user)
}

func TestABrokenServiceIsCaught(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		fault  broken
		proves []oracle.Promise // any of them
	}{
		{"Sound", broken{}, nil},
		{"NXRemoved", broken{reserve: noNX}, []oracle.Promise{oracle.OneHolder}},
		{"OwnerCheckRemoved", broken{buy: noOwner}, []oracle.Promise{oracle.HoldFirst, oracle.OneBuyer, oracle.OneHolder}},
		{"ASaleLost", broken{buy: losing()}, []oracle.Promise{oracle.SalesLast, oracle.OneBuyer, oracle.OneHolder}},
		{"GroupsSplit", broken{reserve: splitting}, []oracle.Promise{oracle.OneHolder, oracle.OwnerServed, oracle.GroupsWhole}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, c.fault)
			var stdout, stderr bytes.Buffer
			args := []string{"-url", url, "-users", "200", "-seats", "40", "-duration", "5s", "-think", "200ms", "-seed", "7",
				"-cheat", "0.1", "-groups", "0.5", "-abandon", "0", "-dawdle", "0", "-hoard", "0"}
			status := realMain(t.Context(), args, func(string) string { return "" }, &stdout, &stderr)
			if c.proves == nil {
				require.Equal(t, statusKept, status, stdout.String())
				return
			}
			require.Equal(t, statusBroken, status, stdout.String())
			require.Contains(t, stdout.String(), "a promise is BROKEN")
			require.True(t, mentions(stdout.String(), c.proves), stdout.String())
			require.Regexp(t, `(?m)^\t.* by buyer-\d+: `, stdout.String(), "the requests that prove it are told")
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

// serve serves the functions over b and a Redis in the process.
func serve(t *testing.T, b broken) (url string) {
	t.Helper()
	url, closeRedis, err := redisclient.Embed() // whose clock runs
	require.NoError(t, err)
	t.Cleanup(closeRedis)
	client, err := redisclient.Open(redisclient.Options{Mode: redisclient.Single, URL: url, Timeout: 30 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	b.redis = client
	b.Locker, err = seatlock.New(client, seatlock.Options{HoldTime: 10 * time.Second, Timeout: 30 * time.Second})
	require.NoError(t, err)
	monitor := readiness.New(b.Ping)
	handler, err := functions.Handler("", functions.Needs{Locker: b, Rules: api.Rules{MaxSeats: api.MaxSeats}, Streams: changes.Options{Stop: monitor.Stop()}}, monitor)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
