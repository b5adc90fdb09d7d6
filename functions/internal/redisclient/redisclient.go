// Package redisclient connects to Redis in each of its modes, or embeds one.
package redisclient

import (
	"crypto/tls"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The modes of a Redis. A mode decides how Open reads the URL.
const (
	Single   = "single"
	Sentinel = "sentinel"
	Cluster  = "cluster"
)

// Modes lists the modes.
var Modes = []string{Single, Sentinel, Cluster}

// ExampleURLs has a URL for each mode. With rediss:// in place of redis:// it is for TLS.
var ExampleURLs = map[string]string{
	Single:   "redis://user:password@host:6379/0",
	Sentinel: "redis://host:26379/0?master_name=seats&addr=host2:26379",
	Cluster:  "redis://host:6379?addr=host2:6379",
}

// poolSize limits the connections beside those of the pipelines: one for each event
// whose changes this process follows, and a few for readiness checks.
const poolSize = 80

// Options say which Redis to connect to, and how.
type Options struct {
	Mode    string        // one of Modes
	URL     string        // like that of ExampleURLs
	TLS     TLS           // only with rediss://
	Timeout time.Duration // of a command; a connect takes at most a second of it
}

// Check returns the error that Open would return, or nil. The error does not show the
// URL, which may hold a password.
func (o Options) Check() error {
	client, err := Open(o)
	if err == nil {
		_ = client.Close()
	}
	return err
}

// Open returns a client. The client connects on first use, so Redis may start later. The
// client doesn't retry, except in a cluster: seatlock does, see [seatlock.Client].
func Open(o Options) (redis.UniversalClient, error) {
	if strings.Contains(o.URL, "#") { // a URL's fragment would be ignored
		return nil, &URLError{"has a #; in a password, write it as %23"}
	}
	noNotifications := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch o.Mode {
	case Single:
		opt, err := redis.ParseURL(o.URL)
		if err != nil {
			return nil, o.urlError()
		}
		opt.MaxRetries = -1
		opt.MaintNotificationsConfig = noNotifications
		if err := o.configure(opt, opt.TLSConfig); err != nil {
			return nil, err
		}
		return redis.NewClient(opt), nil
	case Sentinel:
		opt, err := redis.ParseFailoverURL(o.URL)
		if err != nil || opt.MasterName == "" {
			return nil, o.urlError()
		}
		opt.MaxRetries = -1
		if err := o.configure(opt, opt.TLSConfig); err != nil {
			return nil, err
		}
		return redis.NewFailoverClient(opt), nil // it gets no notifications
	case Cluster:
		opt, err := redis.ParseClusterURL(o.URL)
		if err != nil {
			return nil, o.urlError()
		}
		opt.MaintNotificationsConfig = noNotifications
		if err := o.configure(opt, opt.TLSConfig); err != nil {
			return nil, err
		}
		return redis.NewClusterClient(opt), nil
	}
	return nil, fmt.Errorf("unknown Redis mode %q", o.Mode)
}

// configure sets what is the same in all modes. options points to one of go-redis's three
// types of options, which have these fields in common, but no type.
func (o Options) configure(options any, config *tls.Config) error {
	fields := reflect.ValueOf(options).Elem()
	for name, value := range map[string]any{
		"DialTimeout":           min(o.Timeout, time.Second),
		"ReadTimeout":           o.Timeout,
		"WriteTimeout":          o.Timeout,
		"ContextTimeoutEnabled": true,
		"DialerRetries":         1,
		"PoolSize":              poolSize,
		"DisableIdentity":       true, // users.acl does not allow CLIENT SETINFO
	} {
		fields.FieldByName(name).Set(reflect.ValueOf(value))
	}
	return o.TLS.apply(config)
}

// Embed starts a Redis within the process, for trials and tests. Its clock runs, so holds
// expire. closeRedis deletes its data.
func Embed() (url string, closeRedis func(), err error) {
	server, err := miniredis.Run()
	if err != nil {
		return "", nil, fmt.Errorf("embedded Redis: %w", err)
	}
	server.ClockTTL(true)
	return "redis://" + server.Addr(), server.Close, nil
}
