// Package redisclient connects the service to its Redis, or starts one within
// the process.
package redisclient

import (
	"fmt"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The modes of a Redis, which decide how its URL is read.
const (
	Single   = "single"
	Sentinel = "sentinel"
	Cluster  = "cluster"
)

// Modes lists them all.
var Modes = []string{Single, Sentinel, Cluster}

// Forms are what a URL looks like, by mode. With rediss:// it is for TLS.
var Forms = map[string]string{
	Single:   "redis://user:password@host:6379/0",
	Sentinel: "redis://host:26379/0?master_name=seats&addr=host2:26379",
	Cluster:  "redis://host:6379?addr=host2:6379",
}

// poolSize is how many connections there may be beside the pipelines': one for
// each event whose changes are followed, and a few for the readiness checks.
const poolSize = 80

// Options say which Redis to connect to, and how.
type Options struct {
	Mode    string        // one of Modes
	URL     string        // as the mode has it
	TLS     TLS           // only where the URL is rediss://
	Timeout time.Duration // how long a command is waited for
}

// Check returns what makes Open fail, or nil; it never says what the URL is.
func (o Options) Check() error {
	client, err := Open(o)
	if err == nil {
		_ = client.Close()
	}
	return err
}

// Open returns a client. It connects when it is first used, so Redis need not be
// there yet. Its own retries are off: seatlock does them, see [seatlock.Client].
func Open(o Options) (redis.UniversalClient, error) {
	dialTimeout := min(o.Timeout, time.Second)
	if strings.Contains(o.URL, "#") { // what follows it would be ignored
		return nil, &URLError{"has a #; in a password, write it as %23"}
	}
	noNotifications := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch o.Mode {
	case Single:
		opt, err := redis.ParseURL(o.URL)
		if err != nil {
			return nil, o.urlError()
		}
		if err := o.TLS.apply(opt.TLSConfig); err != nil {
			return nil, err
		}
		opt.MaxRetries, opt.DialerRetries = -1, 1
		opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = dialTimeout, o.Timeout, o.Timeout
		opt.ContextTimeoutEnabled = true
		opt.DisableIdentity = true // CLIENT SETINFO, which users.acl does not allow
		opt.PoolSize = poolSize
		opt.MaintNotificationsConfig = noNotifications
		return redis.NewClient(opt), nil
	case Sentinel:
		opt, err := redis.ParseFailoverURL(o.URL)
		if err != nil || opt.MasterName == "" {
			return nil, o.urlError()
		}
		if err := o.TLS.apply(opt.TLSConfig); err != nil {
			return nil, err
		}
		opt.MaxRetries, opt.DialerRetries = -1, 1
		opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = dialTimeout, o.Timeout, o.Timeout
		opt.ContextTimeoutEnabled = true
		opt.DisableIdentity = true
		opt.PoolSize = poolSize
		return redis.NewFailoverClient(opt), nil
	case Cluster:
		opt, err := redis.ParseClusterURL(o.URL)
		if err != nil {
			return nil, o.urlError()
		}
		if err := o.TLS.apply(opt.TLSConfig); err != nil {
			return nil, err
		}
		opt.DialerRetries = 1
		opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = dialTimeout, o.Timeout, o.Timeout
		opt.ContextTimeoutEnabled = true
		opt.DisableIdentity = true
		opt.PoolSize = poolSize
		opt.MaintNotificationsConfig = noNotifications
		return redis.NewClusterClient(opt), nil
	}
	return nil, fmt.Errorf("unknown Redis mode %q", o.Mode)
}

// Embed starts a Redis within the process, for trying things out: its clock
// runs, so holds expire, and all is gone when it is closed. It returns its URL.
func Embed() (url string, closeRedis func(), err error) {
	server, err := miniredis.Run()
	if err != nil {
		return "", nil, fmt.Errorf("embedded Redis: %w", err)
	}
	server.ClockTTL(true)
	return "redis://" + server.Addr(), server.Close, nil
}
