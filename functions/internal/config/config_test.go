package config_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
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

func TestLoad_HasDefaults(t *testing.T) {
	t.Parallel()
	c, err := load(t, nil)
	require.NoError(t, err)
	empty, err := load(t, map[string]string{"PORT": "", "HOLD_TTL": "", "LOG_LEVEL": "", "REDIS_MODE": ""})
	require.NoError(t, err)
	require.Equal(t, c, empty)
	require.Equal(t, &config.Config{
		Port: 8080, MetricsPort: 9090, RedisMode: "single", HoldTTL: 5 * time.Minute, MaxHold: 15 * time.Minute, IdempotencyTTL: 10 * time.Minute, MaxSeatsPerRequest: 10, UnlistedEvents: true,
		MaxConnections: 10000, ChangesInterval: 100 * time.Millisecond, MaxStreams: 5000, RequestTimeout: 2 * time.Second, DrainDelay: time.Second, LogLevel: slog.LevelInfo,
		AuthSellerScope: "booking:sell", SinkSource: "/booking", SinkBatch: 1, ChangesKept: 100_000,
	}, c)
}

func TestLoad_NamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := load(t, map[string]string{
		"PORT": "http", "METRICS_PORT": "65536", "FUNCTION_TARGET": "refund", "REDIS_MODE": "ring", "HOLD_TTL": "20m", "MAX_HOLD": "10m",
		"MAX_SEATS_PER_REQUEST": "0", "REQUEST_TIMEOUT": "1m", "DRAIN_DELAY": "-1s", "LOG_LEVEL": "loud", "SEAT_PLAN": "1-2:A-B,3",
		"REDIS_URL": "redis://me:secret@host:port", "AUTH_ISSUER": "issuer.example.com", "CORS_ORIGINS": "https://a.example.com,*", "MAX_CONNECTIONS": "1",
		"FRAME_ANCESTORS": "https://a.example.com/shop", "CHECKOUT_URL": "https://a.example.com",
	})
	require.EqualError(t, err, strings.Join([]string{
		`PORT is "http": want a port from 1 to 65535, or 0 for any free port`,
		`METRICS_PORT is "65536": want a port from 1 to 65535 other than PORT, or 0 to turn metrics off`,
		`FUNCTION_TARGET is "refund": want one of reserve, buy, or unset for all of them`,
		`REDIS_MODE is "ring": want single, sentinel or cluster`,
		`HOLD_TTL is "20m": want a duration from 1s to 10m (MAX_HOLD)`,
		`MAX_SEATS_PER_REQUEST is "0": want a number from 1 to 10`,
		`SEAT_PLAN has a fault at character 9, "3": want ROWS:SEATS, like 1-12:A-H, or braces, like STALLS-{A-H}-{1-30}`,
		`AUTH_ISSUER is "issuer.example.com": want the issuer's https:// URL, exactly as in the iss of its tokens, without user, ? or #`,
		`AUTH_AUDIENCE is not set, but AUTH_ISSUER needs it: want the aud of the tokens`,
		`CORS_ORIGINS has "*": want origins like https://tickets.example.com or http://localhost:3000, comma-separated, without a path, a * or the scheme's default port`,
		`CHECKOUT_URL is "https://a.example.com": want an https:// URL like https://shop.example.com/pay?event={event_id}&seats={seat_ids}&user={user_id}, with {seat_ids} at least`,
		`FRAME_ANCESTORS has "https://a.example.com/shop": want origins like https://tickets.example.com or http://localhost:3000, comma-separated, without a path, a * or the scheme's default port`,
		`MAX_CONNECTIONS is "1": want a number from 2 to 1000000`,
		`REQUEST_TIMEOUT is "1m": want a duration from 10ms to 30s`,
		`DRAIN_DELAY is "-1s": want a duration from 0s to 5m`,
		`LOG_LEVEL is "loud": want debug, info, warn or error`,
	}, "\n"))
}

func TestLoad_NamesLimitOfOtherVariable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"HOLD_TTL": "20m"}, `HOLD_TTL is "20m": want a duration from 1s to 15m (MAX_HOLD)`},
		{map[string]string{"MAX_HOLD": "1m"}, `HOLD_TTL is "5m" by default: want a duration from 1s to 1m (MAX_HOLD)`},
		{map[string]string{"HOLD_TTL": "soon", "MAX_HOLD": "48h"}, "HOLD_TTL is \"soon\": want a duration from 1s to MAX_HOLD\nMAX_HOLD is \"48h\": want a duration from 1s to 24h"},
		{map[string]string{"PORT": "9090"}, `METRICS_PORT is "9090" by default: want a port from 1 to 65535 other than 9090 (PORT), or 0 to turn metrics off`},
	} {
		_, err := load(t, test.env)
		require.EqualError(t, err, test.want)
	}
}

func TestLoad_AcceptsWhatIsWithinTheBounds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ accepted, refused []string }{
		"PORT":                  {[]string{"0", "65535"}, []string{"-1", "65536"}},
		"METRICS_PORT":          {[]string{"0", "1", "65535"}, []string{"-1", "65536", "8080"}},
		"MAX_HOLD":              {[]string{"5m", "24h"}, []string{"24h1ms"}},
		"HOLD_TTL":              {[]string{"1s", "15m"}, []string{"999ms", "15m1ms"}},
		"MAX_SEATS_PER_REQUEST": {[]string{"1", "10"}, []string{"0", "11"}},
		"IDEMPOTENCY_TTL":       {[]string{"1s", "24h"}, []string{"999ms", "24h1ms"}},
		"MAX_SEATS_PER_USER":    {[]string{"0", "1000"}, []string{"-1", "1001"}},
		"REQUEST_TIMEOUT":       {[]string{"10ms", "30s"}, []string{"9ms", "30001ms"}},
		"DRAIN_DELAY":           {[]string{"0s", "5m"}, []string{"-1ms", "5m1ms"}},
		"MAX_CONNECTIONS":       {[]string{"2", "1000000"}, []string{"1", "1000001"}},
		"CHANGES_INTERVAL":      {[]string{"0s", "10s"}, []string{"-1ms", "10001ms"}},
		"AUTH_SELLER_SCOPE":     {[]string{"sell", "https://api.example.com/sell", "!#[]~"}, []string{"a b", "a\tb", "sëll", `a\b`, `"`}},
		"SALE_REPLICAS":         {[]string{"0", "5"}, []string{"-1", "6"}},
		"SINK_BATCH":            {[]string{"1", "1000"}, []string{"0", "1001"}},
		"CHANGES_KEPT":          {[]string{"10000", "10000000"}, []string{"9999", "10000001"}},
		"SINK_SOURCE":           {[]string{"/booking", "https://a.example.com/~!"}, []string{"/a b", "/ä", "/a?b", "/a#b"}},
		"CHECKOUT_URL": {[]string{"https://shop.example.com/pay/{event_id}?seats={seat_ids}&user={user_id}", "http://localhost:3000/{seat_ids}"},
			[]string{"https://shop.example.com/pay", "https://shop.example.com/pay?seats={seats}&s={seat_ids}", "http://shop.example.com/{seat_ids}", "https:///{seat_ids}", "https://a.example.com/{seat_ids}}"}},
	} {
		for _, value := range test.accepted {
			_, err := load(t, map[string]string{"REDIS_URL": "redis://localhost:6379", "AUTH_ISSUER": "https://a.example.com", "AUTH_AUDIENCE": "booking", name: value})
			require.NoError(t, err, "%s=%s", name, value)
		}
		for _, value := range test.refused {
			_, err := load(t, map[string]string{"REDIS_URL": "redis://localhost:6379", "AUTH_ISSUER": "https://a.example.com", "AUTH_AUDIENCE": "booking", name: value})
			require.ErrorContains(t, err, fmt.Sprintf("%s is %q", name, value))
		}
	}
}

func TestLoad_KeepsMaxStreamsBelowMaxConnections(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		connections, streams string
		want                 int // 0: refused
	}{
		{"2", "", 1}, {"2001", "", 1000}, {"2000", "1999", 1999}, {"2000", "0", 1000}, {"2000", "2000", 0}, {"", "10000", 0}, {"", "-1", 0},
	} {
		c, err := load(t, map[string]string{"MAX_CONNECTIONS": test.connections, "MAX_STREAMS": test.streams})
		if test.want == 0 {
			require.ErrorContains(t, err, fmt.Sprintf("MAX_STREAMS is %q: want a number below ", test.streams))
			continue
		}
		require.NoError(t, err)
		require.Equal(t, test.want, c.MaxStreams)
	}
}

func TestLoad_ChecksRedis(t *testing.T) {
	t.Parallel()
	const (
		single   = "want a URL like redis://user:password@host:6379/0, or rediss:// for TLS"
		sentinel = "want a URL like redis://host:26379/0?master_name=seats&addr=host2:26379, or rediss:// for TLS"
		cluster  = "want a URL like redis://host:6379?addr=host2:6379, or rediss:// for TLS"
	)
	for name, test := range map[string]struct {
		env  map[string]string
		want string // the error; none if empty
	}{
		"Single":   {map[string]string{"REDIS_URL": "redis://me:secret@host:6379/0"}, ""},
		"TLS":      {map[string]string{"REDIS_URL": "rediss://host"}, ""},
		"Sentinel": {map[string]string{"REDIS_URL": "redis://host:26379/0?master_name=seats&addr=host2:26379", "REDIS_MODE": "sentinel"}, ""},
		"Cluster":  {map[string]string{"REDIS_URL": "redis://host:6379?addr=host2:6379", "REDIS_MODE": "cluster"}, ""},
		"Durable":  {map[string]string{"REDIS_URL": "redis://host", "DURABLE": "true", "SALE_REPLICAS": "2"}, ""},
		"OtherScheme": {map[string]string{"REDIS_URL": "http://me:secret@host"},
			"REDIS_URL does not begin with redis:// or rediss:// (REDIS_MODE is single): " + single},
		"NoMasterName": {map[string]string{"REDIS_URL": "redis://me:secret@host:26379/0", "REDIS_MODE": "sentinel"},
			"REDIS_URL has no master_name (REDIS_MODE is sentinel): " + sentinel},
		"OtherSchemeOfCluster": {map[string]string{"REDIS_URL": "http://me:secret@host", "REDIS_MODE": "cluster"},
			"REDIS_URL does not begin with redis:// or rediss:// (REDIS_MODE is cluster): " + cluster},
		"MasterNameInCluster": {map[string]string{"REDIS_URL": "redis://host?master_name=seats", "REDIS_MODE": "cluster"},
			"REDIS_URL has a master_name, which only Sentinels know (REDIS_MODE is cluster): " + cluster},
		"CAWithoutTLS": {map[string]string{"REDIS_URL": "redis://host", "REDIS_CA": "ca.pem"},
			"REDIS_URL is without TLS, but REDIS_CA, REDIS_CERT or REDIS_KEY is set: want rediss:// instead of redis://"},
		"NoSuchCA": {map[string]string{"REDIS_URL": "rediss://host", "REDIS_CA": "none.pem"},
			"REDIS_CA can't be used (open none.pem: no such file or directory): want a PEM file of certificates"},
		"NoSuchKey": {map[string]string{"REDIS_URL": "rediss://host", "REDIS_CERT": "none.pem", "REDIS_KEY": "none.pem"},
			"REDIS_KEY can't be used with REDIS_CERT (open none.pem: no such file or directory): want PEM files of a certificate and its key"},
		"CertAlone":       {map[string]string{"REDIS_URL": "rediss://host", "REDIS_CERT": "none.pem"}, "REDIS_KEY is not set, but REDIS_CERT needs it: want a PEM file with its key"},
		"KeyAlone":        {map[string]string{"REDIS_URL": "rediss://host", "REDIS_KEY": "none.pem"}, "REDIS_CERT is not set, but REDIS_KEY needs it: want a PEM file with a certificate"},
		"DurableEmbedded": {map[string]string{"DURABLE": "true"}, "REDIS_URL is not set, but DURABLE needs it: " + single},
		"DurableCluster": {map[string]string{"REDIS_URL": "redis://host", "REDIS_MODE": "cluster", "DURABLE": "true"},
			"DURABLE is true, but with REDIS_MODE=cluster a failover can lose a sale: want REDIS_MODE=single, or SALE_REPLICAS instead of DURABLE"},
		"TooManyReplicas":  {map[string]string{"REDIS_URL": "redis://host", "SALE_REPLICAS": "6"}, `SALE_REPLICAS is "6": want a number from 0 to 5`},
		"ReplicasEmbedded": {map[string]string{"SALE_REPLICAS": "1"}, "REDIS_URL is not set, but SALE_REPLICAS needs it: " + single},
		"CAEmbedded":       {map[string]string{"REDIS_CA": "ca.pem"}, "REDIS_URL is not set, but REDIS_CA needs it: " + single},
		"ModeWithoutURL":   {map[string]string{"REDIS_MODE": "cluster"}, "REDIS_URL is not set, but REDIS_MODE needs it: " + cluster},
		"Pod":              {map[string]string{"K_SERVICE": "buy"}, "REDIS_URL is not set, but in a pod the embedded Redis would lose every sale: " + single},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, test.env)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.want)
		})
	}
}

func TestLoad_ShowsNoPassword(t *testing.T) {
	t.Parallel()
	const url = "redis://me:secret@host:6379"
	_, err := load(t, map[string]string{
		"PORT": url, "METRICS_PORT": url, "FUNCTION_TARGET": url, "REDIS_MODE": url, "DURABLE": url, "SALE_REPLICAS": url, "HOLD_TTL": url, "MAX_HOLD": url,
		"AUTH_ISSUER": url, "AUTH_AUDIENCE": "booking", "CORS_ORIGINS": "https://a.example.com," + url, "LOG_LEVEL": url,
	})
	require.ErrorContains(t, err, "REDIS_MODE is not shown, since it has an @: want single, sentinel or cluster")
	require.NotContains(t, err.Error(), "secret")
}

func TestLoad_ChecksAuthentication(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		issuer, audience, want string
	}{
		"Both":          {"https://issuer.example.com/realms/shop", "booking", ""},
		"OnThisMachine": {"http://127.0.0.1:8081", "booking", ""},
		"AudienceAlone": {"", "booking", "AUTH_ISSUER is not set, but AUTH_AUDIENCE needs it"},
		"IssuerAlone":   {"https://issuer.example.com", "", "AUTH_AUDIENCE is not set, but AUTH_ISSUER needs it"},
		"WithoutTLS":    {"http://issuer.example.com", "booking", "AUTH_ISSUER is"},
		"WithQuery":     {"https://issuer.example.com?tenant=1", "booking", "AUTH_ISSUER is"},
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

func TestLoad_ChecksSellerToken(t *testing.T) {
	t.Parallel()
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "token")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	good := strings.Repeat("s", 32)
	for name, test := range map[string]struct {
		env  map[string]string
		want string // the error; none if empty
	}{
		"Secret":        {map[string]string{"SELLER_TOKEN": good}, ""},
		"Longest":       {map[string]string{"SELLER_TOKEN": strings.Repeat("~", 1024)}, ""},
		"WithIssuer":    {map[string]string{"SELLER_TOKEN": good, "AUTH_ISSUER": "https://a.example.com", "AUTH_AUDIENCE": "booking"}, ""},
		"File":          {map[string]string{"SELLER_TOKEN_FILE": file(" \n" + good + "\r\n")}, ""},
		"TooShort":      {map[string]string{"SELLER_TOKEN": good[1:]}, "SELLER_TOKEN can't be used (auth: the seller's token has 31 characters; use 32 to 1024): want 32 to 1024 printable ASCII characters without spaces"},
		"TooLong":       {map[string]string{"SELLER_TOKEN": strings.Repeat("s", 1025)}, "SELLER_TOKEN can't be used (auth: the seller's token has 1025 characters; use 32 to 1024)"},
		"WithSpace":     {map[string]string{"SELLER_TOKEN": good + " " + good}, "SELLER_TOKEN can't be used (auth: the seller's token has a space"},
		"NotASCII":      {map[string]string{"SELLER_TOKEN": good + "ä"}, "SELLER_TOKEN can't be used (auth: the seller's token has a space, or a character that is not printable ASCII"},
		"EmptyFile":     {map[string]string{"SELLER_TOKEN_FILE": file("\n")}, "SELLER_TOKEN_FILE can't be used (auth: the seller's token has 0 characters"},
		"NoFile":        {map[string]string{"SELLER_TOKEN_FILE": "/nothing"}, "SELLER_TOKEN_FILE can't be used (open /nothing: no such file or directory): want a file with 32 to 1024"},
		"Both":          {map[string]string{"SELLER_TOKEN": good, "SELLER_TOKEN_FILE": file(good)}, "SELLER_TOKEN_FILE is set, and so is SELLER_TOKEN: want one of them"},
		"ScopeNoIssuer": {map[string]string{"AUTH_SELLER_SCOPE": "sell"}, "AUTH_ISSUER is not set, but AUTH_SELLER_SCOPE needs it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := load(t, test.env)
			if test.want == "" {
				require.NoError(t, err)
				seller, err := c.Seller()
				require.NoError(t, err)
				require.NotNil(t, seller)
				return
			}
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "sssss")
		})
	}
}

func TestLoad_ChecksOrigins(t *testing.T) {
	t.Parallel()
	c, err := load(t, map[string]string{"CORS_ORIGINS": "https://a.example.com, http://localhost:3000,https://[::1]:8443"})
	require.NoError(t, err)
	require.Equal(t, []string{"https://a.example.com", "http://localhost:3000", "https://[::1]:8443"}, c.CORSOrigins)
	for _, origin := range []string{
		"*", "null", "a.example.com", "https://*.example.com", "https://a.example.com/", "https://a.example.com/path",
		"https://a.example.com:443", "http://a.example.com:80", "ftp://a.example.com", "https://me@a.example.com", "https://a.example.com,", "https://",
	} {
		_, err := load(t, map[string]string{"CORS_ORIGINS": origin})
		require.ErrorContains(t, err, "CORS_ORIGINS has", origin)
	}
}

func TestLoad_ChecksSink(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	for name, test := range map[string]struct {
		env  map[string]string
		want string // the error; none if empty
	}{
		"None":            {map[string]string{}, ""},
		"HTTPS":           {map[string]string{"SINK_URL": "https://shop.example.com/sink", "SINK_SECRET": secret}, ""},
		"InCluster":       {map[string]string{"K_SINK": "http://broker-ingress.knative-eventing.svc.cluster.local/booking/default"}, ""},
		"Credentials":     {map[string]string{"SINK_URL": "https://me:hidden@shop.example.com"}, "SINK_URL has a user or a password: want an https:// URL"},
		"NoHost":          {map[string]string{"SINK_URL": "https:///sink"}, "SINK_URL has no host: want an https:// URL"},
		"PlainHTTP":       {map[string]string{"SINK_URL": "http://shop.example.com"}, "SINK_URL is http:// for a host outside of this machine and the cluster: want"},
		"PlainHTTPByBind": {map[string]string{"K_SINK": "http://shop.example.com"}, "K_SINK is http:// for a host outside of this machine and the cluster: want a URL as SINK_URL has"},
		"ShortSecret":     {map[string]string{"SINK_SECRET": "whsec_c2hvcnQ="}, "SINK_SECRET can't be used (sink: the secret has 5 bytes; use 24 to 64): want whsec_ and the base64 of 24 to 64 bytes"},
		"TargetAlone":     {map[string]string{"FUNCTION_TARGET": "relay"}, "SINK_URL is not set, but FUNCTION_TARGET=relay needs it"},
		"Source":          {map[string]string{"SINK_SOURCE": "/a b"}, `SINK_SOURCE is "/a b": want a URI or a path`},
		"BatchOfNone":     {map[string]string{"SINK_BATCH": "0"}, `SINK_BATCH is "0": want a number from 1 to 1000`},
		"FewKept":         {map[string]string{"CHANGES_KEPT": "9999"}, `CHANGES_KEPT is "9999": want a number from 10000 to 10000000`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load(t.Context(), envconfig.MapLookuper(test.env), []string{"reserve", "relay"})
			if test.want == "" {
				require.NoError(t, err)
				require.Equal(t, c.Sink() != "", c.RunsRelay())
				return
			}
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "hidden")
			require.NotContains(t, err.Error(), "c2hvcnQ")
		})
	}
}

func TestRunsRelay_OnlyInItsFunction(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]bool{"": true, "relay": true, "reserve": false} {
		c := config.Config{FunctionTarget: target, SinkURL: "https://shop.example.com"}
		require.Equal(t, want, c.RunsRelay(), target)
	}
}
