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

// Config is the whole configuration. The tag want completes the sentence that
// tells an operator what to set instead.
type Config struct {
	Port               int           `env:"PORT, default=8080" want:"a port from 1 to 65535, or 0 for any that is free"`
	MetricsPort        int           `env:"METRICS_PORT, default=9090" want:"a port from 1 to 65535 other than PORT, or 0 for no metrics"`
	FunctionTarget     string        `env:"FUNCTION_TARGET" want:"the name of a function, or nothing for all of them"`
	RedisURL           string        `env:"REDIS_URL" want:"an address like redis://user:password@host:6379/0, or rediss:// for TLS"`
	RedisMode          string        `env:"REDIS_MODE, default=single" want:"single, sentinel or cluster"`
	RedisCA            string        `env:"REDIS_CA"`
	RedisCert          string        `env:"REDIS_CERT"`
	RedisKey           string        `env:"REDIS_KEY"`
	Durable            bool          `env:"DURABLE, default=false" want:"true, where REDIS_URL is set and REDIS_MODE is single, or false"`
	SaleReplicas       int           `env:"SALE_REPLICAS, default=0" want:"how many replicas must have a sale, 5 at most, or 0"`
	HoldTTL            time.Duration `env:"HOLD_TTL, default=5m" want:"a duration from 1s to MAX_HOLD, like 5m"`
	MaxHold            time.Duration `env:"MAX_HOLD, default=15m" want:"a duration up to 24h, like 15m"`
	MaxSeatsPerRequest int           `env:"MAX_SEATS_PER_REQUEST, default=10" want:"a number from 1 to 10"`
	MaxSeatsPerUser    int           `env:"MAX_SEATS_PER_USER, default=0" want:"a number up to 1000, or 0 for no limit"`
	SeatPlan           string        `env:"SEAT_PLAN"`
	AuthIssuer         string        `env:"AUTH_ISSUER" want:"the issuer's https:// address, word for word as its tokens have it in iss"`
	AuthAudience       string        `env:"AUTH_AUDIENCE" want:"what the tokens of AUTH_ISSUER name in aud"`
	CORSOrigins        []string      `env:"CORS_ORIGINS" want:"origins like https://tickets.example.com, joined by commas; * is none"`
	MaxConnections     int           `env:"MAX_CONNECTIONS, default=10000" want:"a number from 1 to 1000000"`
	RequestTimeout     time.Duration `env:"REQUEST_TIMEOUT, default=2s" want:"a duration from 10ms to 30s, like 2s"`
	DrainDelay         time.Duration `env:"DRAIN_DELAY, default=1s" want:"a duration up to 5m, like 10s"`
	LogLevel           slog.Level    `env:"LOG_LEVEL, default=info" want:"debug, info, warn or error"`

	Plan seatplan.Plan // what SeatPlan says

	// What Kubernetes and Knative set in every pod.
	KubernetesServiceHost string `env:"KUBERNETES_SERVICE_HOST"`
	KnativeService        string `env:"K_SERVICE"`
}

// InPod reports whether the process runs on Kubernetes.
func (c *Config) InPod() bool { return c.KubernetesServiceHost != "" || c.KnativeService != "" }

// Load reads the configuration and checks it; targets are the functions that
// FUNCTION_TARGET may name. Its error names every fault, a line each, and never
// the value of REDIS_URL, which holds a password.
func Load(ctx context.Context, lookuper envconfig.Lookuper, targets []string) (*Config, error) {
	env := envconfig.LookuperFunc(func(name string) (string, bool) { // empty is as good as unset
		value, ok := lookuper.Lookup(name)
		return value, ok && value != ""
	})
	c := &Config{}
	faults := map[string]string{}
	fields := reflect.ValueOf(c).Elem()
	for i := range fields.NumField() {
		// envconfig stops at its first fault, so each field is read by itself.
		field := fields.Type().Field(i)
		one := reflect.New(reflect.StructOf([]reflect.StructField{field}))
		err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: one.Interface(), Lookuper: env})
		if err != nil {
			value, _ := env.Lookup(envName(field))
			faults[envName(field)] = fmt.Sprintf("is %q: want %s", value, field.Tag.Get("want"))
			continue
		}
		fields.Field(i).Set(one.Elem().Field(0))
	}
	c.check(faults, targets)
	return c, inOrder(faults)
}

// check adds to faults, by name, what is readable but out of range.
func (c *Config) check(faults map[string]string, targets []string) {
	rule := func(name string, ok bool, got any) {
		if _, known := faults[name]; known || ok {
			return
		}
		for field := range reflect.TypeFor[Config]().Fields() {
			if envName(field) == name {
				faults[name] = fmt.Sprintf("is %v: want %s", got, field.Tag.Get("want"))
			}
		}
	}
	within := func(d, low, high time.Duration) bool { return low <= d && d <= high }

	rule("PORT", c.Port >= 0 && c.Port <= 65535, c.Port)
	rule("METRICS_PORT", c.MetricsPort == 0 || c.MetricsPort > 0 && c.MetricsPort <= 65535 && c.MetricsPort != c.Port, c.MetricsPort)
	rule("MAX_HOLD", within(c.MaxHold, time.Second, 24*time.Hour), c.MaxHold)
	if _, unknown := faults["MAX_HOLD"]; !unknown {
		rule("HOLD_TTL", within(c.HoldTTL, time.Second, c.MaxHold), c.HoldTTL)
	}
	rule("MAX_SEATS_PER_REQUEST", c.MaxSeatsPerRequest >= 1 && c.MaxSeatsPerRequest <= api.MaxSeats, c.MaxSeatsPerRequest)
	rule("MAX_SEATS_PER_USER", c.MaxSeatsPerUser >= 0 && c.MaxSeatsPerUser <= 1000, c.MaxSeatsPerUser)
	rule("REQUEST_TIMEOUT", within(c.RequestTimeout, 10*time.Millisecond, 30*time.Second), c.RequestTimeout)
	rule("DRAIN_DELAY", within(c.DrainDelay, 0, 5*time.Minute), c.DrainDelay)
	rule("REDIS_MODE", slices.Contains(redisclient.Modes, c.RedisMode), fmt.Sprintf("%q", c.RedisMode))
	rule("MAX_CONNECTIONS", c.MaxConnections >= 1 && c.MaxConnections <= 1_000_000, c.MaxConnections)
	for _, origin := range c.CORSOrigins {
		rule("CORS_ORIGINS", isOrigin(origin), fmt.Sprintf("%q", origin))
	}
	switch {
	case c.AuthIssuer != "":
		rule("AUTH_ISSUER", isIssuer(c.AuthIssuer), fmt.Sprintf("%q", c.AuthIssuer))
		rule("AUTH_AUDIENCE", c.AuthAudience != "", "not set, but AUTH_ISSUER is")
	case c.AuthAudience != "":
		rule("AUTH_ISSUER", false, "not set, but AUTH_AUDIENCE is")
	}
	var err error
	if c.Plan, err = seatplan.Parse(c.SeatPlan); err != nil {
		faults["SEAT_PLAN"] = "has a fault " + err.Error()
	}
	if c.FunctionTarget != "" && !slices.Contains(targets, c.FunctionTarget) {
		faults["FUNCTION_TARGET"] = fmt.Sprintf("is %q: want one of %s, or nothing for all of them", c.FunctionTarget, strings.Join(targets, ", "))
	}
	switch {
	case c.RedisURL == "" && c.InPod():
		faults["REDIS_URL"] = "is not set: the embedded Redis would lose every sale when this pod ends, so set the address of yours"
	case !slices.Contains(redisclient.Modes, c.RedisMode): // which decides how REDIS_URL is read
	case c.RedisURL == "" && c.RedisMode != redisclient.Single:
		rule("REDIS_URL", false, "not set, but REDIS_MODE is "+c.RedisMode)
	case c.RedisURL != "":
		c.checkRedis(faults, rule)
	}
	rule("DURABLE", !c.Durable || c.RedisURL != "" && c.RedisMode == redisclient.Single, c.Durable)
	rule("SALE_REPLICAS", c.SaleReplicas >= 0 && c.SaleReplicas <= 5, c.SaleReplicas)
}

// Redis returns how to connect to the Redis at url.
func (c *Config) Redis(url string) redisclient.Options {
	return redisclient.Options{Mode: c.RedisMode, URL: url, Timeout: c.RequestTimeout,
		TLS: redisclient.TLS{CA: c.RedisCA, Cert: c.RedisCert, Key: c.RedisKey}}
}

func (c *Config) checkRedis(faults map[string]string, rule func(name string, ok bool, got any)) {
	err := c.Redis(c.RedisURL).Check()
	switch {
	case errors.Is(err, redisclient.ErrURL), errors.Is(err, redisclient.ErrNoTLS):
		rule("REDIS_URL", false, err)
	case err != nil:
		faults["REDIS_CA"] = "or REDIS_CERT or REDIS_KEY has a fault: " + err.Error()
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

func envName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
	return name
}

// inOrder joins the faults in the order of Config's fields.
func inOrder(faults map[string]string) error {
	var errs []error
	for field := range reflect.TypeFor[Config]().Fields() {
		if fault, ok := faults[envName(field)]; ok {
			errs = append(errs, errors.New(envName(field)+" "+fault))
		}
	}
	return errors.Join(errs...)
}
