package redisclient_test

import (
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/stretchr/testify/require"

	"booking/functions/internal/redisclient"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

// requireSale requires that a client with opt can reserve and buy a group of seats.
func requireSale(t *testing.T, opt redisclient.Options) {
	t.Helper()
	opt.Timeout = time.Minute
	client, err := redisclient.Open(opt)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	locker, err := seatlock.New(client, seatlock.Options{Timeout: time.Minute})
	require.NoError(t, err)
	require.NoError(t, locker.Check(t.Context()))
	seats := []string{"1A", "1B", "1C"}
	for _, event := range []string{"gala", "matinee", "premiere"} {
		_, err = locker.Reserve(t.Context(), event, seats, "ann")
		require.NoError(t, err)
		require.NoError(t, locker.Buy(t.Context(), event, seats, "ann"))
		seat, err := locker.Status(t.Context(), event, "1B")
		require.NoError(t, err)
		require.Equal(t, seatlock.Sold, seat.Status)
	}
}

func TestOpen_ConnectsToSingle(t *testing.T) {
	t.Parallel()
	requireSale(t, redisclient.Options{Mode: redisclient.Single, URL: redistest.Server(t).URL()})
}

func TestOpen_ConnectsToSentinel(t *testing.T) {
	t.Parallel()
	sentinel := redistest.Sentinel(t, redistest.Bare(t).Addr, 1)
	requireSale(t, redisclient.Options{Mode: redisclient.Sentinel, URL: "redis://" + sentinel.Addr + "/0?master_name=seats"})
}

func TestOpen_ConnectsToCluster(t *testing.T) {
	t.Parallel()
	requireSale(t, redisclient.Options{Mode: redisclient.Cluster, URL: redistest.Cluster(t).URL()})
}

func TestOpen_ConfiguresAllModesAlike(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{500 * time.Millisecond, 2 * time.Second} {
		for _, mode := range redisclient.Modes {
			client, err := redisclient.Open(redisclient.Options{Mode: mode, URL: redisclient.ExampleURLs[mode], Timeout: timeout})
			require.NoError(t, err)
			var options any
			var notifications *maintnotifications.Config
			switch c := client.(type) {
			case *redis.Client:
				options, notifications = *c.Options(), c.Options().MaintNotificationsConfig
				require.Zero(t, c.Options().MaxRetries, mode)
			case *redis.ClusterClient:
				options, notifications = *c.Options(), c.Options().MaintNotificationsConfig
			}
			for field, want := range map[string]any{
				"DialTimeout":           min(timeout, time.Second),
				"ReadTimeout":           timeout,
				"WriteTimeout":          timeout,
				"ContextTimeoutEnabled": true,
				"DialerRetries":         1,
				"PoolSize":              80,
				"DisableIdentity":       true,
			} {
				require.Equal(t, want, reflect.ValueOf(options).FieldByName(field).Interface(), "%s of mode %s", field, mode)
			}
			require.Equal(t, maintnotifications.ModeDisabled, notifications.Mode, mode)
			require.NoError(t, client.Close())
		}
	}
}

func TestOpen_ConnectsWithTLS(t *testing.T) {
	t.Parallel()
	tls := redistest.NewTLS(t)
	files := redisclient.TLS{CA: tls.CA, Cert: tls.Cert, Key: tls.Key}
	t.Run("Single", func(t *testing.T) {
		t.Parallel()
		addr, args := tls.Listen(t)
		redistest.Bare(t, args...)
		requireSale(t, redisclient.Options{Mode: redisclient.Single, URL: "rediss://" + addr, TLS: files})
	})
	t.Run("Sentinel", func(t *testing.T) {
		t.Parallel()
		primary, args := tls.Listen(t)
		redistest.Bare(t, args...)
		sentinel, args := tls.Listen(t)
		redistest.Sentinel(t, primary, 1, append(args, "--tls-replication", "yes")...)
		requireSale(t, redisclient.Options{Mode: redisclient.Sentinel, URL: "rediss://" + sentinel + "/0?master_name=seats", TLS: files})
	})
	t.Run("Cluster", func(t *testing.T) {
		t.Parallel()
		addr, args := tls.Listen(t)
		redistest.Cluster(t, append(args, "--tls-cluster", "yes")...)
		requireSale(t, redisclient.Options{Mode: redisclient.Cluster, URL: "rediss://" + addr, TLS: files})
	})
	t.Run("RequiresCertificates", func(t *testing.T) {
		t.Parallel()
		addr, args := tls.Listen(t)
		redistest.Bare(t, args...)
		for _, files := range []redisclient.TLS{{}, {CA: tls.CA}} {
			client, err := redisclient.Open(redisclient.Options{Mode: redisclient.Single, URL: "rediss://" + addr, TLS: files, Timeout: time.Minute})
			require.NoError(t, err)
			require.Error(t, client.Ping(t.Context()).Err())
			require.NoError(t, client.Close())
		}
	})
}

func TestEmbed_ExpiresHolds(t *testing.T) {
	t.Parallel()
	url, closeRedis, err := redisclient.Embed()
	require.NoError(t, err)
	defer closeRedis()
	client, err := redisclient.Open(redisclient.Options{Mode: redisclient.Single, URL: url, Timeout: time.Minute})
	require.NoError(t, err)
	defer func() { _ = client.Close() }()
	require.NoError(t, client.Set(t.Context(), "hold", "x", 50*time.Millisecond).Err())
	require.Eventually(t, func() bool {
		return client.Exists(t.Context(), "hold").Val() == 0
	}, redistest.WaitLimit, 5*time.Millisecond, "the hold does not expire")
}

func TestCheck_RefusesUnusableOptions(t *testing.T) {
	t.Parallel()
	tls := redistest.NewTLS(t)
	require.Error(t, redisclient.Options{Mode: "ring", URL: "redis://host"}.Check())
	for _, mode := range redisclient.Modes {
		plain, secure := "redis://host?master_name=seats", "rediss://host?master_name=seats"
		if mode != redisclient.Sentinel {
			plain, secure = "redis://host", "rediss://host"
		}
		require.NoError(t, redisclient.Options{Mode: mode, URL: secure, TLS: redisclient.TLS{CA: tls.CA, Cert: tls.Cert, Key: tls.Key}}.Check(), mode)
		require.ErrorIs(t, redisclient.Options{Mode: mode, URL: plain, TLS: redisclient.TLS{CA: tls.CA}}.Check(), redisclient.ErrNoTLS, mode)
		require.ErrorContains(t, redisclient.Options{Mode: mode, URL: secure, TLS: redisclient.TLS{CA: tls.Key}}.Check(), "holds no certificate in PEM", mode)
		require.ErrorIs(t, redisclient.Options{Mode: mode, URL: secure, TLS: redisclient.TLS{Cert: tls.Cert}}.Check(), os.ErrNotExist, mode)
	}
}

func TestCheck_NamesFaultOfURLWithoutURL(t *testing.T) {
	t.Parallel()
	for _, mode := range redisclient.Modes {
		require.NoError(t, redisclient.Options{Mode: mode, URL: redisclient.ExampleURLs[mode]}.Check(), mode)
		for url, want := range map[string]string{
			"http://me:secret@host":               "does not begin with redis:// or rediss://",
			"secret@host":                         "does not begin with redis:// or rediss://",
			"redis://me:secret@host:port":         "is not a URL",
			"redis://me:%secret@host":             "is not a URL",
			"redis://me:123#secret@host":          "has a #",
			"redis://host?master_name=x&secret=1": map[string]string{redisclient.Sentinel: "has a path or a parameter"}[mode],
		} {
			err := redisclient.Options{Mode: mode, URL: url}.Check()
			var fault *redisclient.URLError
			require.ErrorAs(t, err, &fault, url)
			require.Contains(t, fault.Text, want, mode)
			require.NotContains(t, err.Error(), "secret")
		}
	}
	for _, test := range []struct{ mode, url, want string }{
		{redisclient.Sentinel, "redis://host:26379/0", "has no master_name"},
		{redisclient.Single, redisclient.ExampleURLs[redisclient.Sentinel], "has a master_name, which only Sentinels know"},
		{redisclient.Cluster, redisclient.ExampleURLs[redisclient.Sentinel], "has a master_name, which only Sentinels know"},
		{redisclient.Single, redisclient.ExampleURLs[redisclient.Cluster], "has an addr, which only Sentinels and clusters have"},
		{redisclient.Single, "redis://host/first", "has a path or a parameter that go-redis can't read"},
		{redisclient.Cluster, "redis://host?addr=host2", "has a path or a parameter that go-redis can't read"},
	} {
		require.ErrorContains(t, redisclient.Options{Mode: test.mode, URL: test.url}.Check(), test.want, test.mode)
	}
}
