package config_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"
	"github.com/stretchr/testify/require"

	"booking/functions/internal/config"
)

var targets = []string{"reserve", "buy"}

func load(t *testing.T, env map[string]string) (*config.Config, error) {
	t.Helper()
	return config.Load(t.Context(), envconfig.MapLookuper(env), targets)
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := load(t, nil)
	require.NoError(t, err)
	empty, err := load(t, map[string]string{"PORT": "", "HOLD_TTL": "", "LOG_LEVEL": "", "REDIS_MODE": ""})
	require.NoError(t, err)
	require.Equal(t, c, empty)
	require.Equal(t, &config.Config{
		Port: 8080, MetricsPort: 9090, RedisMode: "single", HoldTTL: 5 * time.Minute, MaxHold: 15 * time.Minute, MaxSeatsPerRequest: 10,
		MaxConnections: 10000, RequestTimeout: 2 * time.Second, DrainDelay: time.Second, LogLevel: slog.LevelInfo,
	}, c)
}

func TestEveryFaultIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, map[string]string{
		"PORT": "http", "METRICS_PORT": "65536", "FUNCTION_TARGET": "refund", "REDIS_MODE": "ring", "HOLD_TTL": "20m", "MAX_HOLD": "10m",
		"MAX_SEATS_PER_REQUEST": "0", "REQUEST_TIMEOUT": "1m", "DRAIN_DELAY": "-1s", "LOG_LEVEL": "loud", "SEAT_PLAN": "1-2:A-B,3",
		"REDIS_URL": "redis://me:secret@host:port", "AUTH_ISSUER": "issuer.example.com", "CORS_ORIGINS": "https://a.example.com,*", "MAX_CONNECTIONS": "0",
	})
	require.EqualError(t, err, strings.Join([]string{
		`PORT is "http": want a port from 1 to 65535, or 0 for any that is free`,
		`METRICS_PORT is 65536: want a port from 1 to 65535 other than PORT, or 0 for no metrics`,
		`FUNCTION_TARGET is "refund": want one of reserve, buy, or nothing for all of them`,
		`REDIS_MODE is "ring": want single, sentinel or cluster`,
		`HOLD_TTL is 20m0s: want a duration from 1s to MAX_HOLD, like 5m`,
		`MAX_SEATS_PER_REQUEST is 0: want a number from 1 to 10`,
		`SEAT_PLAN has a fault at character 9, "3": want ROWS:SEATS, like 1-12:A-H`,
		`AUTH_ISSUER is "issuer.example.com": want the issuer's https:// address, word for word as its tokens have it in iss`,
		`AUTH_AUDIENCE is not set, but AUTH_ISSUER is: want what the tokens of AUTH_ISSUER name in aud`,
		`CORS_ORIGINS is "*": want origins like https://tickets.example.com, joined by commas; * is none`,
		`MAX_CONNECTIONS is 0: want a number from 1 to 1000000`,
		`REQUEST_TIMEOUT is 1m0s: want a duration from 10ms to 30s, like 2s`,
		`DRAIN_DELAY is -1s: want a duration up to 5m, like 10s`,
		`LOG_LEVEL is "loud": want debug, info, warn or error`,
	}, "\n"))
}

func TestRedisURL(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env  map[string]string
		want string // in the error; none where empty
	}{
		"Single":         {map[string]string{"REDIS_URL": "redis://me:secret@host:6379/0"}, ""},
		"TLS":            {map[string]string{"REDIS_URL": "rediss://host"}, ""},
		"Sentinel":       {map[string]string{"REDIS_URL": "redis://host:26379/0?master_name=seats&addr=host2:26379", "REDIS_MODE": "sentinel"}, ""},
		"Cluster":        {map[string]string{"REDIS_URL": "redis://host:6379?addr=host2:6379", "REDIS_MODE": "cluster"}, ""},
		"OtherScheme":    {map[string]string{"REDIS_URL": "http://me:secret@host"}, "REDIS_URL is not readable"},
		"BadPort":        {map[string]string{"REDIS_URL": "redis://me:secret@host:port"}, "REDIS_URL is not readable"},
		"NoMasterName":   {map[string]string{"REDIS_URL": "redis://host:26379/0", "REDIS_MODE": "sentinel"}, "REDIS_URL is not readable"},
		"CAWithoutTLS":   {map[string]string{"REDIS_URL": "redis://host", "REDIS_CA": "ca.pem"}, "REDIS_URL is without TLS, for which there are files: want rediss://"},
		"NoSuchCA":       {map[string]string{"REDIS_URL": "rediss://host", "REDIS_CA": "none.pem"}, "REDIS_CA or REDIS_CERT or REDIS_KEY has a fault: open none.pem"},
		"Durable":        {map[string]string{"REDIS_URL": "redis://host", "DURABLE": "true", "SALE_REPLICAS": "2"}, ""},
		"DurableNowhere": {map[string]string{"DURABLE": "true"}, "DURABLE is true: want true, where REDIS_URL is set and REDIS_MODE is single, or false"},
		"DurableCluster": {map[string]string{"REDIS_URL": "redis://host", "REDIS_MODE": "cluster", "DURABLE": "true"}, "DURABLE is true: want"},
		"ManyReplicas":   {map[string]string{"REDIS_URL": "redis://host", "SALE_REPLICAS": "6"}, "SALE_REPLICAS is 6: want how many replicas must have a sale, 5 at most, or 0"},
		"ModeWithoutURL": {map[string]string{"REDIS_MODE": "cluster"}, "REDIS_URL is not set, but REDIS_MODE is cluster"},
		"Pod":            {map[string]string{"K_SERVICE": "buy"}, "REDIS_URL is not set: the embedded Redis would lose every sale"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, test.env)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		issuer, audience, want string
	}{
		"Both":          {"https://issuer.example.com/realms/shop", "booking", ""},
		"OnThisMachine": {"http://127.0.0.1:8081", "booking", ""},
		"AudienceAlone": {"", "booking", "AUTH_ISSUER is not set, but AUTH_AUDIENCE is"},
		"IssuerAlone":   {"https://issuer.example.com", "", "AUTH_AUDIENCE is not set, but AUTH_ISSUER is"},
		"WithoutTLS":    {"http://issuer.example.com", "booking", "AUTH_ISSUER is"},
		"WithAQuery":    {"https://issuer.example.com?tenant=1", "booking", "AUTH_ISSUER is"},
		"NoAddress":     {"https://", "booking", "AUTH_ISSUER is"},
		"NoURL":         {"://", "booking", "AUTH_ISSUER is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, map[string]string{"AUTH_ISSUER": test.issuer, "AUTH_AUDIENCE": test.audience})
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	c, err := load(t, map[string]string{"CORS_ORIGINS": "https://a.example.com, http://localhost:3000,https://[::1]:8443"})
	require.NoError(t, err)
	require.Equal(t, []string{"https://a.example.com", "http://localhost:3000", "https://[::1]:8443"}, c.CORSOrigins)
	for _, origin := range []string{
		"*", "null", "a.example.com", "https://*.example.com", "https://a.example.com/", "https://a.example.com/path",
		"https://a.example.com:443", "http://a.example.com:80", "ftp://a.example.com", "https://me@a.example.com", "https://a.example.com,", "https://",
	} {
		_, err := load(t, map[string]string{"CORS_ORIGINS": origin})
		require.ErrorContains(t, err, "CORS_ORIGINS is", origin)
	}
}
