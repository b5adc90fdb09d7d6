// Package config reads the service's configuration from its environment.
package config

import (
	"cmp"
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
	"booking/functions/internal/auth"
	"booking/functions/internal/plan"
	"booking/functions/internal/redisclient"
	"booking/functions/internal/sink"
	"booking/seatlock"
)

// Config is the whole configuration. The tag help describes a variable, unset what an
// unset one means, and values which values are valid. In values, $NAME is the variable of
// that name, $FUNCTIONS the functions, and $URL the form of a URL in the mode.
type Config struct {
	Port               int           `env:"PORT, default=8080" help:"port to listen on" values:"a port from 1 to 65535, or 0 for any free port"`
	MetricsPort        int           `env:"METRICS_PORT, default=9090" help:"port of /metrics, and of /healthz and /readyz for probes" values:"a port from 1 to 65535 other than $PORT, or 0 to turn metrics off"`
	FunctionTarget     string        `env:"FUNCTION_TARGET" unset:"all" help:"function to serve" values:"one of $FUNCTIONS, or unset for all of them"`
	RedisURL           string        `env:"REDIS_URL" unset:"embedded" help:"Redis that keeps the seats; embedded is one in this process, whose seats are lost when it ends" values:"a URL like $URL, or rediss:// for TLS"`
	RedisMode          string        `env:"REDIS_MODE, default=single" help:"kind of Redis that REDIS_URL names" values:"single, sentinel or cluster"`
	RedisCA            string        `env:"REDIS_CA" unset:"the system's" help:"with rediss://, the CAs that may sign Redis's certificate" values:"a PEM file of certificates"`
	RedisCert          string        `env:"REDIS_CERT" unset:"none" help:"with rediss://, the client certificate" values:"a PEM file with a certificate"`
	RedisKey           string        `env:"REDIS_KEY" unset:"none" help:"private key of REDIS_CERT" values:"a PEM file with its key"`
	Durable            bool          `env:"DURABLE, default=false" help:"whether Redis must write a sale to disk before it is acknowledged" values:"true or false"`
	SaleReplicas       int           `env:"SALE_REPLICAS, default=0" help:"how many replicas must have a sale before it is acknowledged" values:"a number from 0 to 5"`
	HoldTTL            time.Duration `env:"HOLD_TTL, default=5m" help:"how long a hold lasts" values:"a duration from 1s to $MAX_HOLD"`
	MaxHold            time.Duration `env:"MAX_HOLD, default=15m" help:"how long a hold lasts at most, with all its extensions" values:"a duration from 1s to 24h"`
	MaxSeatsPerRequest int           `env:"MAX_SEATS_PER_REQUEST, default=10" help:"how many seats a call may name" values:"a number from 1 to 10"`
	MaxSeatsPerUser    int           `env:"MAX_SEATS_PER_USER, default=0" help:"how many seats, held and sold, a user may have at an event" values:"a number from 1 to 1000, or 0 for no limit"`
	IdempotencyTTL     time.Duration `env:"IDEMPOTENCY_TTL, default=10m" help:"how long the answer to a call with an Idempotency-Key is remembered" values:"a duration from 1s to 24h"`
	SeatPlan           string        `env:"SEAT_PLAN" unset:"every seat" help:"seats of the hall" values:"sections like 1-12:A-H or STALLS-{A-H}-{1-30}, comma-separated"`
	UnlistedEvents     bool          `env:"UNLISTED_EVENTS, default=true" help:"serve events without PUT, with SEAT_PLAN and the settings above" values:"true or false"`
	AuthIssuer         string        `env:"AUTH_ISSUER" unset:"off" help:"OpenID Connect issuer; a call that changes seats then needs its token, and a sale a seller's" values:"the issuer's https:// URL, exactly as in the iss of its tokens, without user, ? or #"`
	AuthAudience       string        `env:"AUTH_AUDIENCE" help:"with AUTH_ISSUER, the audience that tokens must have" values:"the aud of the tokens"`
	AuthSellerScope    string        `env:"AUTH_SELLER_SCOPE, default=booking:sell" help:"with AUTH_ISSUER, the scope that makes a token a seller's" values:"printable ASCII characters without spaces, quotes and backslashes"`
	SellerToken        string        `env:"SELLER_TOKEN" unset:"none" help:"secret that makes its sender a seller; a sale then needs a seller" values:"32 to 1024 printable ASCII characters without spaces"`
	SellerTokenFile    string        `env:"SELLER_TOKEN_FILE" unset:"none" help:"instead of SELLER_TOKEN, a file that has it; a change of the file takes effect within a second" values:"a file with 32 to 1024 printable ASCII characters without spaces"`
	CORSOrigins        []string      `env:"CORS_ORIGINS" unset:"none" help:"origins whose scripts may call from a browser, beside the service's own page" values:"origins like https://tickets.example.com or http://localhost:3000, comma-separated, without a path, a * or the scheme's default port"`
	CheckoutURL        string        `env:"CHECKOUT_URL" unset:"none" help:"where the page's buyer pays, in place of the page's own demonstration of a sale" values:"an https:// URL like https://shop.example.com/pay?event={event_id}&seats={seat_ids}&user={user_id}, with {seat_ids} at least"`
	FrameAncestors     []string      `env:"FRAME_ANCESTORS" unset:"none" help:"origins whose pages may show the page in a frame" values:"origins like https://tickets.example.com or http://localhost:3000, comma-separated, without a path, a * or the scheme's default port"`
	MaxConnections     int           `env:"MAX_CONNECTIONS, default=10000" help:"how many connections may be open at a time" values:"a number from 2 to 1000000"`
	ChangesInterval    time.Duration `env:"CHANGES_INTERVAL, default=100ms" help:"how often a stream of /changes sends at most; the changes in between are sent together" values:"a duration from 0s to 10s"`
	MaxStreams         int           `env:"MAX_STREAMS, default=0" help:"how many streams of /changes may be open at a time" values:"a number below $MAX_CONNECTIONS, or 0 for half of it"`
	SinkURL            string        `env:"SINK_URL" unset:"none" help:"sink to which the relay sends each change of the events that were put, as a CloudEvent" values:"an https:// URL without user or #; http:// only for this machine, or for a host in .svc or .svc.cluster.local"`
	SinkSecret         string        `env:"SINK_SECRET" unset:"none" help:"secret that signs what the relay sends, as Standard Webhooks" values:"whsec_ and the base64 of 24 to 64 bytes"`
	SinkSource         string        `env:"SINK_SOURCE, default=/booking" help:"beginning of the source of the relay's events; /events/ and the event follow" values:"a URI or a path, without space, ? or #"`
	SinkBatch          int           `env:"SINK_BATCH, default=1" help:"how many events a request of the relay has at most; above 1, in the batched content mode" values:"a number from 1 to 1000"`
	ChangesKept        int           `env:"CHANGES_KEPT, default=100000" help:"how many changes of an event Redis keeps while the relay can't send them" values:"a number from 10000 to 10000000"`
	RequestTimeout     time.Duration `env:"REQUEST_TIMEOUT, default=2s" help:"how long a call waits for Redis" values:"a duration from 10ms to 30s"`
	DrainDelay         time.Duration `env:"DRAIN_DELAY, default=1s" help:"how long calls are still served after SIGTERM" values:"a duration from 0s to 5m"`
	LogLevel           slog.Level    `env:"LOG_LEVEL, default=info" help:"lowest level to log; debug logs each call, with its user" values:"debug, info, warn or error"`

	Plan *plan.Plan // of SeatPlan; nil if it is unset

	// Kubernetes and Knative set these in every pod.
	KubernetesServiceHost string `env:"KUBERNETES_SERVICE_HOST"`
	KnativeService        string `env:"K_SERVICE"`
	KnativeSink           string `env:"K_SINK" values:"a URL as SINK_URL has, which replaces it"`
}

// InPod reports whether the process runs on Kubernetes.
func (c *Config) InPod() bool { return c.KubernetesServiceHost != "" || c.KnativeService != "" }

// Sink returns the URL of the relay's sink, "" for none.
func (c *Config) Sink() string { return cmp.Or(c.SinkURL, c.KnativeSink) }

// RunsRelay reports whether the process runs the relay.
func (c *Config) RunsRelay() bool {
	return c.Sink() != "" && (c.FunctionTarget == "" || c.FunctionTarget == relayFunction)
}

// relayFunction is the function that sends the changes.
const relayFunction = "relay"

// Redis returns the options of a client of the Redis at url.
func (c *Config) Redis(url string) redisclient.Options {
	return redisclient.Options{Mode: c.RedisMode, URL: url, Timeout: c.RequestTimeout,
		TLS: redisclient.TLS{CA: c.RedisCA, Cert: c.RedisCert, Key: c.RedisKey}}
}

// Seller returns the seller's token, or nil if none is set.
func (c *Config) Seller() (*auth.SellerToken, error) {
	switch {
	case c.SellerToken != "":
		return auth.NewSellerToken(c.SellerToken)
	case c.SellerTokenFile != "":
		return auth.ReadSellerToken(c.SellerTokenFile)
	}
	return nil, nil
}

// Load reads and checks the configuration. targets are the functions that FUNCTION_TARGET
// may name. The error has a line for each fault, and shows no value that may hold a
// password.
func Load(ctx context.Context, lookuper envconfig.Lookuper, targets []string) (*Config, error) {
	env := envconfig.LookuperFunc(func(name string) (string, bool) { // empty means unset
		value, ok := lookuper.Lookup(name)
		return value, ok && value != ""
	})
	c := &Config{}
	f := &faults{config: c, env: env, targets: targets, found: map[string]fault{}}
	fields := reflect.ValueOf(c).Elem()
	for i := range fields.NumField() {
		// envconfig stops at the first fault, so read each field by itself.
		field := fields.Type().Field(i)
		one := reflect.New(reflect.StructOf([]reflect.StructField{field}))
		err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: one.Interface(), Lookuper: env})
		if err != nil {
			f.require(newVariable(field).name, false)
			continue
		}
		fields.Field(i).Set(one.Elem().Field(0))
	}
	c.check(f)
	return c, f.err()
}

// check adds to f each value that was read but is not valid.
func (c *Config) check(f *faults) {
	within := func(d, low, high time.Duration) bool { return low <= d && d <= high }
	f.require("PORT", c.Port >= 0 && c.Port <= 65535)
	f.require("METRICS_PORT", c.MetricsPort == 0 || c.MetricsPort > 0 && c.MetricsPort <= 65535 && c.MetricsPort != c.Port)
	f.require("FUNCTION_TARGET", c.FunctionTarget == "" || slices.Contains(f.targets, c.FunctionTarget))
	f.require("MAX_HOLD", within(c.MaxHold, time.Second, 24*time.Hour))
	f.require("HOLD_TTL", f.has("MAX_HOLD") || within(c.HoldTTL, time.Second, c.MaxHold))
	f.require("IDEMPOTENCY_TTL", within(c.IdempotencyTTL, time.Second, 24*time.Hour))
	f.require("MAX_SEATS_PER_REQUEST", c.MaxSeatsPerRequest >= 1 && c.MaxSeatsPerRequest <= api.MaxSeats)
	f.require("MAX_SEATS_PER_USER", c.MaxSeatsPerUser >= 0 && c.MaxSeatsPerUser <= 1000)
	f.require("REQUEST_TIMEOUT", within(c.RequestTimeout, 10*time.Millisecond, 30*time.Second))
	f.require("DRAIN_DELAY", within(c.DrainDelay, 0, 5*time.Minute))
	f.require("MAX_CONNECTIONS", c.MaxConnections >= 2 && c.MaxConnections <= 1_000_000)
	f.require("CHANGES_INTERVAL", within(c.ChangesInterval, 0, 10*time.Second))
	f.require("MAX_STREAMS", f.has("MAX_CONNECTIONS") || c.MaxStreams >= 0 && c.MaxStreams < c.MaxConnections)
	if c.MaxStreams == 0 {
		c.MaxStreams = c.MaxConnections / 2
	}
	f.require("SALE_REPLICAS", c.SaleReplicas >= 0 && c.SaleReplicas <= 5)
	f.requireOrigins("CORS_ORIGINS", c.CORSOrigins)
	f.requireOrigins("FRAME_ANCESTORS", c.FrameAncestors)
	f.require("CHECKOUT_URL", c.CheckoutURL == "" || isCheckout(c.CheckoutURL))
	switch {
	case c.AuthIssuer != "" && c.AuthAudience == "":
		f.addUnset("AUTH_AUDIENCE", "AUTH_ISSUER")
	case c.AuthIssuer == "" && c.AuthAudience != "":
		f.addUnset("AUTH_ISSUER", "AUTH_AUDIENCE")
	}
	f.require("AUTH_ISSUER", c.AuthIssuer == "" || isIssuer(c.AuthIssuer))
	f.require("AUTH_SELLER_SCOPE", !strings.ContainsFunc(c.AuthSellerScope, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }))
	if _, set := f.env.Lookup("AUTH_SELLER_SCOPE"); set && c.AuthIssuer == "" {
		f.addUnset("AUTH_ISSUER", "AUTH_SELLER_SCOPE")
	}
	c.checkSeller(f)
	c.checkSink(f)
	var err error
	if c.Plan, err = plan.ParseShort(c.SeatPlan); err != nil {
		f.addWant("SEAT_PLAN", "has a fault "+err.Error(), "")
	}
	c.checkRedis(f)
}

// checkSeller adds to f what is wrong with the seller's token. It shows no part of it.
func (c *Config) checkSeller(f *faults) {
	name := "SELLER_TOKEN"
	if c.SellerTokenFile != "" {
		name = "SELLER_TOKEN_FILE"
	}
	if c.SellerToken != "" && c.SellerTokenFile != "" {
		f.addWant(name, "is set, and so is SELLER_TOKEN", "one of them")
	} else if _, err := c.Seller(); err != nil {
		f.add(name, fmt.Sprintf("can't be used (%v)", err))
	}
}

// checkSink adds to f what is wrong with the settings of the relay. It shows no part of the secret.
func (c *Config) checkSink(f *faults) {
	name := "SINK_URL"
	if c.SinkURL == "" && c.KnativeSink != "" {
		name = "K_SINK"
	}
	if err := sink.CheckURL(c.Sink()); c.Sink() != "" && err != nil {
		f.add(name, err.Error())
	}
	if c.FunctionTarget == relayFunction && c.Sink() == "" {
		f.addUnset("SINK_URL", "FUNCTION_TARGET=relay")
	}
	if _, err := sink.ParseSecret(c.SinkSecret); c.SinkSecret != "" && err != nil {
		f.add("SINK_SECRET", fmt.Sprintf("can't be used (%v)", err))
	}
	source, err := url.Parse(c.SinkSource)
	f.require("SINK_SOURCE", err == nil && source.User == nil && !strings.ContainsFunc(c.SinkSource, func(r rune) bool { return r <= ' ' || r > '~' || r == '?' || r == '#' }))
	f.require("SINK_BATCH", c.SinkBatch >= 1 && c.SinkBatch <= 1000)
	f.require("CHANGES_KEPT", c.ChangesKept >= 10_000 && c.ChangesKept <= seatlock.MaxKept)
}

// checkRedis adds to f what is wrong with the settings of Redis.
func (c *Config) checkRedis(f *faults) {
	f.require("REDIS_MODE", slices.Contains(redisclient.Modes, c.RedisMode))
	switch {
	case c.RedisCert != "" && c.RedisKey == "":
		f.addUnset("REDIS_KEY", "REDIS_CERT")
	case c.RedisCert == "" && c.RedisKey != "":
		f.addUnset("REDIS_CERT", "REDIS_KEY")
	}
	if c.Durable && !f.has("REDIS_MODE") && c.RedisMode != redisclient.Single {
		f.addWant("DURABLE", "is true, but with REDIS_MODE="+c.RedisMode+" a failover can lose a sale", "REDIS_MODE=single, or SALE_REPLICAS instead of DURABLE")
	}
	if c.RedisURL == "" {
		c.checkEmbedded(f)
		return
	}
	if f.has("REDIS_MODE") { // REDIS_URL can't be read without it
		return
	}
	err := c.Redis(c.RedisURL).Check()
	if fault, ok := errors.AsType[*redisclient.URLError](err); ok {
		f.add("REDIS_URL", fault.Text+" (REDIS_MODE is "+c.RedisMode+")")
	} else if fault, ok := errors.AsType[*redisclient.CAError](err); ok {
		f.add("REDIS_CA", fmt.Sprintf("can't be used (%v)", fault.Err))
	} else if errors.Is(err, redisclient.ErrNoTLS) {
		f.addWant("REDIS_URL", "is without TLS, but REDIS_CA, REDIS_CERT or REDIS_KEY is set", "rediss:// instead of redis://")
	} else if err != nil && !f.has("REDIS_CERT") {
		f.addWant("REDIS_KEY", fmt.Sprintf("can't be used with REDIS_CERT (%v)", err), "PEM files of a certificate and its key")
	}
}

// checkEmbedded adds to f the settings that the embedded Redis does not support.
func (c *Config) checkEmbedded(f *faults) {
	if c.InPod() {
		f.add("REDIS_URL", "is not set, but in a pod the embedded Redis would lose every sale")
	}
	for _, setting := range []struct {
		name string
		set  bool
	}{
		{"REDIS_MODE", c.RedisMode != redisclient.Single}, {"REDIS_CA", c.RedisCA != ""}, {"REDIS_CERT", c.RedisCert != ""},
		{"REDIS_KEY", c.RedisKey != ""}, {"DURABLE", c.Durable}, {"SALE_REPLICAS", c.SaleReplicas > 0},
	} {
		if setting.set && !f.has(setting.name) {
			f.addUnset("REDIS_URL", setting.name)
		}
	}
}

// isOrigin reports whether s is an origin as browsers send it: a scheme, a host, and a port
// if it is not the scheme's default.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" &&
		!strings.Contains(u.Host, "*") && u.Port() != map[string]string{"https": "443", "http": "80"}[u.Scheme] && s == u.Scheme+"://"+u.Host
}

// isIssuer reports whether s is an issuer whose keys can be fetched safely: over TLS, or
// from this machine.
func isIssuer(s string) bool { return isSafe(s) && !strings.ContainsAny(s, "?#") }

// isCheckout reports whether s is the template of a URL. It has {seat_ids}, and may have {event_id} and
// {user_id}.
func isCheckout(s string) bool {
	filled := strings.NewReplacer("{event_id}", "gala", "{seat_ids}", "1A", "{user_id}", "ann").Replace(s)
	return strings.Contains(s, "{seat_ids}") && !strings.ContainsAny(filled, "{}") && isSafe(filled)
}

// isSafe reports whether s is a URL over TLS, or of this machine, without credentials.
func isSafe(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && local
}
