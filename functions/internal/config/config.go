// Package config reads the service's configuration from its environment.
package config

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sethvargo/go-envconfig"

	"booking/functions/internal/api"
	"booking/functions/internal/redisclient"
	"booking/functions/internal/seatplan"
)

// Config is the whole configuration. The tag help says what a variable is for, unset
// what it is without a value, and want which values it may have. In want, $NAME is the
// variable of that name, $FUNCTIONS are the functions, and $URL is the form of a URL
// in the mode.
type Config struct {
	Port               int           `env:"PORT, default=8080" help:"where to listen, on every address" want:"a port from 1 to 65535, or 0 for any free port"`
	MetricsPort        int           `env:"METRICS_PORT, default=9090" help:"where Prometheus finds /metrics, and probes /healthz and /readyz" want:"a port from 1 to 65535 other than $PORT, or 0 to turn metrics off"`
	FunctionTarget     string        `env:"FUNCTION_TARGET" unset:"all" help:"which function to serve" want:"one of $FUNCTIONS, or unset for all of them"`
	RedisURL           string        `env:"REDIS_URL" unset:"embedded" help:"the Redis that keeps the seats; embedded: one in this process, which forgets them when it ends" want:"a URL like $URL, or rediss:// for TLS"`
	RedisMode          string        `env:"REDIS_MODE, default=single" help:"how REDIS_URL is read" want:"single, sentinel or cluster"`
	RedisCA            string        `env:"REDIS_CA" unset:"the system's" help:"with rediss://, who signed the certificate of Redis" want:"a file of certificates in PEM"`
	RedisCert          string        `env:"REDIS_CERT" unset:"none" help:"with rediss://, the certificate to show to Redis" want:"a file with a certificate in PEM"`
	RedisKey           string        `env:"REDIS_KEY" unset:"none" help:"the key of REDIS_CERT" want:"a file with its key in PEM"`
	Durable            bool          `env:"DURABLE, default=false" help:"whether Redis must have a sale on disk before it says so" want:"true or false"`
	SaleReplicas       int           `env:"SALE_REPLICAS, default=0" help:"how many replicas must have a sale before its buyer hears of it" want:"a number from 0 to 5"`
	HoldTTL            time.Duration `env:"HOLD_TTL, default=5m" help:"how long a hold lasts" want:"a duration from 1s to $MAX_HOLD"`
	MaxHold            time.Duration `env:"MAX_HOLD, default=15m" help:"how long a hold may last with all its extensions" want:"a duration from 1s to 24h"`
	MaxSeatsPerRequest int           `env:"MAX_SEATS_PER_REQUEST, default=10" help:"how many seats one call may name" want:"a number from 1 to 10"`
	MaxSeatsPerUser    int           `env:"MAX_SEATS_PER_USER, default=0" help:"how many seats, held and sold, a user may have at an event" want:"a number from 1 to 1000, or 0 for no limit"`
	SeatPlan           string        `env:"SEAT_PLAN" unset:"every seat" help:"which seats there are" want:"sections like 1-12:A-H, comma-separated"`
	AuthIssuer         string        `env:"AUTH_ISSUER" unset:"off" help:"whose OpenID Connect tokens every change of seats needs" want:"the issuer's https:// address, word for word as its tokens have it in iss, without user, ? and #"`
	AuthAudience       string        `env:"AUTH_AUDIENCE" help:"with AUTH_ISSUER, for whom the tokens must be" want:"what the tokens have in aud"`
	CORSOrigins        []string      `env:"CORS_ORIGINS" unset:"none" help:"whose scripts may call from a browser, beside the service's own page" want:"origins like https://tickets.example.com or http://localhost:3000, comma-separated, without a path, a * or the scheme's own port"`
	MaxConnections     int           `env:"MAX_CONNECTIONS, default=10000" help:"how many connections may be open at a time" want:"a number from 2 to 1000000"`
	MaxStreams         int           `env:"MAX_STREAMS, default=0" help:"how many streams of /changes may be open at a time; 0 is half of MAX_CONNECTIONS" want:"a number below $MAX_CONNECTIONS, or 0 for half of it"`
	RequestTimeout     time.Duration `env:"REQUEST_TIMEOUT, default=2s" help:"how long a call waits for Redis" want:"a duration from 10ms to 30s"`
	DrainDelay         time.Duration `env:"DRAIN_DELAY, default=1s" help:"how long calls are still served after SIGTERM" want:"a duration from 0s to 5m"`
	LogLevel           slog.Level    `env:"LOG_LEVEL, default=info" help:"how much is logged; debug logs each call, its user included" want:"debug, info, warn or error"`

	Plan seatplan.Plan // what SeatPlan says

	// What Kubernetes and Knative set in every pod.
	KubernetesServiceHost string `env:"KUBERNETES_SERVICE_HOST"`
	KnativeService        string `env:"K_SERVICE"`
}

// InPod reports whether the process runs on Kubernetes.
func (c *Config) InPod() bool { return c.KubernetesServiceHost != "" || c.KnativeService != "" }

// Redis returns how to connect to the Redis at url.
func (c *Config) Redis(url string) redisclient.Options {
	return redisclient.Options{Mode: c.RedisMode, URL: url, Timeout: c.RequestTimeout,
		TLS: redisclient.TLS{CA: c.RedisCA, Cert: c.RedisCert, Key: c.RedisKey}}
}

// Load reads the configuration and checks it; targets are the functions that
// FUNCTION_TARGET may name. Its error names every fault, a line each, and never a
// value that may hold a password.
func Load(ctx context.Context, lookuper envconfig.Lookuper, targets []string) (*Config, error) {
	env := envconfig.LookuperFunc(func(name string) (string, bool) { // empty means unset
		value, ok := lookuper.Lookup(name)
		return value, ok && value != ""
	})
	c := &Config{}
	f := &faults{config: c, env: env, targets: targets, found: map[string]fault{}}
	fields := reflect.ValueOf(c).Elem()
	for i := range fields.NumField() {
		// envconfig stops at its first fault, so each field is read by itself.
		field := fields.Type().Field(i)
		one := reflect.New(reflect.StructOf([]reflect.StructField{field}))
		err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: one.Interface(), Lookuper: env})
		if err != nil {
			f.demand(newVariable(field).name, false)
			continue
		}
		fields.Field(i).Set(one.Elem().Field(0))
	}
	c.check(f)
	return c, f.inOrder()
}

// check adds to f what is readable but out of range.
func (c *Config) check(f *faults) {
	within := func(d, low, high time.Duration) bool { return low <= d && d <= high }
	f.demand("PORT", c.Port >= 0 && c.Port <= 65535)
	f.demand("METRICS_PORT", c.MetricsPort == 0 || c.MetricsPort > 0 && c.MetricsPort <= 65535 && c.MetricsPort != c.Port)
	f.demand("FUNCTION_TARGET", c.FunctionTarget == "" || slices.Contains(f.targets, c.FunctionTarget))
	f.demand("MAX_HOLD", within(c.MaxHold, time.Second, 24*time.Hour))
	f.demand("HOLD_TTL", f.has("MAX_HOLD") || within(c.HoldTTL, time.Second, c.MaxHold))
	f.demand("MAX_SEATS_PER_REQUEST", c.MaxSeatsPerRequest >= 1 && c.MaxSeatsPerRequest <= api.MaxSeats)
	f.demand("MAX_SEATS_PER_USER", c.MaxSeatsPerUser >= 0 && c.MaxSeatsPerUser <= 1000)
	f.demand("REQUEST_TIMEOUT", within(c.RequestTimeout, 10*time.Millisecond, 30*time.Second))
	f.demand("DRAIN_DELAY", within(c.DrainDelay, 0, 5*time.Minute))
	f.demand("MAX_CONNECTIONS", c.MaxConnections >= 2 && c.MaxConnections <= 1_000_000)
	f.demand("MAX_STREAMS", f.has("MAX_CONNECTIONS") || c.MaxStreams >= 0 && c.MaxStreams < c.MaxConnections)
	if c.MaxStreams == 0 {
		c.MaxStreams = c.MaxConnections / 2
	}
	f.demand("SALE_REPLICAS", c.SaleReplicas >= 0 && c.SaleReplicas <= 5)
	for _, origin := range c.CORSOrigins {
		if !isOrigin(origin) {
			f.add("CORS_ORIGINS", "has "+quote(origin))
		}
	}
	switch {
	case c.AuthIssuer != "" && c.AuthAudience == "":
		f.missing("AUTH_AUDIENCE", "AUTH_ISSUER")
	case c.AuthIssuer == "" && c.AuthAudience != "":
		f.missing("AUTH_ISSUER", "AUTH_AUDIENCE")
	}
	f.demand("AUTH_ISSUER", c.AuthIssuer == "" || isIssuer(c.AuthIssuer))
	var err error
	if c.Plan, err = seatplan.Parse(c.SeatPlan); err != nil {
		f.addWanting("SEAT_PLAN", "has a fault "+err.Error(), "")
	}
	c.checkRedis(f)
}

// checkRedis adds to f what makes the Redis that c names unfit.
func (c *Config) checkRedis(f *faults) {
	f.demand("REDIS_MODE", slices.Contains(redisclient.Modes, c.RedisMode))
	switch {
	case c.RedisCert != "" && c.RedisKey == "":
		f.missing("REDIS_KEY", "REDIS_CERT")
	case c.RedisCert == "" && c.RedisKey != "":
		f.missing("REDIS_CERT", "REDIS_KEY")
	}
	if c.Durable && !f.has("REDIS_MODE") && c.RedisMode != redisclient.Single {
		f.addWanting("DURABLE", "is true, but with REDIS_MODE="+c.RedisMode+" a failover can lose a sale", "REDIS_MODE=single, or SALE_REPLICAS in place of DURABLE")
	}
	if c.RedisURL == "" {
		c.checkEmbedded(f)
		return
	}
	if f.has("REDIS_MODE") { // which says how REDIS_URL is read
		return
	}
	err := c.Redis(c.RedisURL).Check()
	if fault, ok := errors.AsType[*redisclient.URLError](err); ok {
		f.add("REDIS_URL", fault.Text+" (REDIS_MODE is "+c.RedisMode+")")
	} else if fault, ok := errors.AsType[*redisclient.CAError](err); ok {
		f.add("REDIS_CA", fmt.Sprintf("can't be used (%v)", fault.Err))
	} else if errors.Is(err, redisclient.ErrNoTLS) {
		f.addWanting("REDIS_URL", "is without TLS, which REDIS_CA, REDIS_CERT and REDIS_KEY are for", "rediss:// in place of redis://")
	} else if err != nil && !f.has("REDIS_CERT") {
		f.addWanting("REDIS_KEY", fmt.Sprintf("can't be used with REDIS_CERT (%v)", err), "a certificate and its key in PEM")
	}
}

// checkEmbedded adds to f what the Redis within the process can't do.
func (c *Config) checkEmbedded(f *faults) {
	if c.InPod() {
		f.add("REDIS_URL", "is not set, but in a pod the embedded Redis would lose every sale")
	}
	for _, needs := range []struct {
		name string
		set  bool
	}{
		{"REDIS_MODE", c.RedisMode != redisclient.Single}, {"REDIS_CA", c.RedisCA != ""}, {"REDIS_CERT", c.RedisCert != ""},
		{"REDIS_KEY", c.RedisKey != ""}, {"DURABLE", c.Durable}, {"SALE_REPLICAS", c.SaleReplicas > 0},
	} {
		if needs.set && !f.has(needs.name) {
			f.missing("REDIS_URL", needs.name)
		}
	}
}

// isOrigin reports whether s is an origin as browsers send it: a scheme, a host and,
// where it is not the scheme's own, a port.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" &&
		!strings.Contains(u.Host, "*") && u.Port() != map[string]string{"https": "443", "http": "80"}[u.Scheme] && s == u.Scheme+"://"+u.Host
}

// isIssuer reports whether s is where a token's keys can be fetched safely: over
// TLS, or from the same machine.
func isIssuer(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(s, "?#") {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && local
}
