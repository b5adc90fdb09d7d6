package seatlock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// safeAge is how long a node that was found safe is believed to be, before a sale
// checks it again.
const safeAge = time.Second

// maxReplicaLag is since when a replica that counts has acknowledged what it has; it is
// the default of Redis's min-replicas-max-lag.
const maxReplicaLag = 10 // s

// verdict is what the last inspection of a node found.
type verdict struct {
	mu       sync.Mutex
	at       time.Time // of the inspection, if it found the node safe; else zero
	complete bool      // see fileComplete
}

// recent reports whether the node was found safe within safeAge.
func (v *verdict) recent() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return !v.at.IsZero() && time.Since(v.at) < safeAge
}

// set notes the result of an inspection.
func (v *verdict) set(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.at = time.Time{}
	if err == nil {
		v.at = time.Now()
	}
}

// fileComplete reports whether a restart would read all sales from the append-only
// file. Until the first rewrite after "appendonly yes" has ended, it reads an older
// file, or none. INFO does not tell that rewrite from later ones, which are harmless:
// so a rewrite counts only while the file was never seen without one.
func (v *verdict) fileComplete(enabled, rewritten bool) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.complete = enabled && (v.complete || rewritten)
	return v.complete
}

// Ping reports whether Redis answers: nil or ErrUnavailable.
func (l *Locker) Ping(ctx context.Context) error {
	err := l.try(ctx, ErrUnavailable, func(deadline time.Time) error {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		return l.eachNode(ctx, l.askTime)
	})
	if err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	return nil
}

// eachNode calls f for every node that takes writes.
func (l *Locker) eachNode(ctx context.Context, f func(context.Context, *node) error) error {
	cluster, ok := l.client.(*redis.ClusterClient)
	if !ok {
		return f(ctx, l.single)
	}
	return cluster.ForEachMaster(ctx, func(ctx context.Context, primary *redis.Client) error {
		return f(ctx, l.nodeAt(primary))
	})
}

// Check reports whether Redis answers and keeps what it is given: it fails with
// ErrUnavailable, or with ErrUnsafe and the setting to change.
//
// Every policy but noeviction frees seats when memory is full: allkeys-* sold ones,
// volatile-* held ones (https://redis.io/docs/latest/develop/reference/eviction/); a
// replica takes no writes. Options.Durable and Options.SaleReplicas demand more: see
// there. While they are not met, Buy fails with ErrUnavailable.
func (l *Locker) Check(ctx context.Context) error {
	if err := l.Ping(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, l.opt.Timeout)
	defer cancel()
	err := l.eachNode(ctx, l.inspect)
	if err != nil && !errors.Is(err, ErrUnsafe) {
		return fmt.Errorf("check: %w: %w", ErrUnavailable, err)
	}
	return err
}

// requireSafe fails if n was not found to keep the promises of Options recently, and
// does not now. It holds up a sale once in safeAge.
func (l *Locker) requireSafe(ctx context.Context, n *node) error {
	if n.safe.recent() {
		return nil
	}
	return l.inspect(ctx, n)
}

// inspect fails with ErrUnsafe and the setting to change, or because n does not answer.
func (l *Locker) inspect(ctx context.Context, n *node) error {
	pipe := n.client.Pipeline()
	info := pipe.Info(ctx, "memory", "replication", "persistence")
	var settings []*redis.MapStringStringCmd
	var rights []*redis.Cmd
	if l.opt.Durable {
		for _, want := range durableSettings {
			settings = append(settings, pipe.ConfigGet(ctx, want.name))
		}
		for _, command := range written {
			rights = append(rights, pipe.Do(ctx, append([]any{"acl", "dryrun", "default"}, command...)...))
		}
	}
	_ = exec(ctx, pipe) // each command has its own error
	err := info.Err()
	if err == nil {
		err = cmp.Or(inspectServer(info.Val()), inspectReplicas(info.Val(), l.opt.SaleReplicas))
	}
	if err == nil && l.opt.Durable {
		err = cmp.Or(n.inspectFile(info.Val()), inspectSettings(settings), inspectRights(rights))
	}
	n.safe.set(err)
	return err
}

func unsafeSetting(setting, value, advice string) error {
	return fmt.Errorf("%w: %s is %q, %s", ErrUnsafe, setting, value, advice)
}

func inspectServer(info string) error {
	if policy := infoField(info, "maxmemory_policy"); policy != "noeviction" {
		return unsafeSetting("maxmemory-policy", policy, "set it to noeviction")
	}
	if role := infoField(info, "role"); role != "master" {
		return unsafeSetting("role", role, "give the address of the primary")
	}
	return nil
}

// inspectReplicas demands as many replicas that keep up.
func inspectReplicas(info string, want int) error {
	online := 0
	for i := 0; ; i++ {
		replica := infoField(info, fmt.Sprint("slave", i)) // ip=…,port=…,state=online,offset=…,lag=0, and more in Valkey
		if replica == "" {
			break
		}
		fields := map[string]string{}
		for field := range strings.SplitSeq(replica, ",") {
			name, value, _ := strings.Cut(field, "=")
			fields[name] = value
		}
		lag, err := strconv.Atoi(fields["lag"])
		if fields["state"] == "online" && err == nil && 0 <= lag && lag <= maxReplicaLag {
			online++
		}
	}
	if online < want {
		return fmt.Errorf("%w: %d of the %d replicas that a sale waits for are online, start more", ErrUnsafe, online, want)
	}
	return nil
}

// inspectFile demands that a restart reads all sales from the append-only file.
func (n *node) inspectFile(info string) error {
	enabled := infoField(info, "aof_enabled") == "1"
	failed := infoField(info, "aof_last_bgrewrite_status") != "ok"
	rewriting := infoField(info, "aof_rewrite_in_progress") != "0" || infoField(info, "aof_rewrite_scheduled") != "0"
	switch complete := n.safe.fileComplete(enabled, !rewriting && !failed); {
	case !enabled:
		return unsafeSetting("appendonly", "no", "set it to yes in the configuration file and restart Redis (CONFIG SET would replace the file of an earlier run)")
	case !complete && failed:
		return fmt.Errorf("%w: the append-only file could not be written as a whole, see the log of Redis and run BGREWRITEAOF", ErrUnsafe)
	case !complete:
		return fmt.Errorf("%w: the append-only file is not complete yet, wait until its first rewrite has ended", ErrUnsafe)
	}
	return nil
}

// durableSettings, which are read as they are now, not as the configuration file has
// them, make Redis have each write on disk before it answers.
var durableSettings = []struct{ name, value string }{
	{"appendfsync", "always"},
	{"no-appendfsync-on-rewrite", "no"},
}

// inspectSettings reads the replies to CONFIG GET for durableSettings.
func inspectSettings(replies []*redis.MapStringStringCmd) error {
	for i, reply := range replies {
		want := durableSettings[i]
		switch value := reply.Val()[want.name]; {
		case refused(reply.Err()):
			return fmt.Errorf("%w: %s can't be read, allow its user +config|get: %w", ErrUnsafe, want.name, reply.Err())
		case reply.Err() != nil:
			return reply.Err()
		case value != want.value:
			return unsafeSetting(want.name, value, "set it to "+want.value)
		}
	}
	return nil
}

// written are commands like those that the scripts leave in the append-only file.
var written = [][]any{
	{"set", seatKey("e", "s"), "v"},
	{"del", seatKey("e", "s")},
	{"zadd", seatsKey("e"), 1, "s"},
	{"zadd", userKey("e", "u"), 1, "s"},
	{"zrem", seatsKey("e"), "s"},
	{"zremrangebyscore", userKey("e", "u"), 0, 1},
	{"xadd", changesKey("e"), "*", "f", "v"},
	{"pexpireat", seatsKey("e"), 1},
	{"persist", seatsKey("e")},
}

// inspectRights reads the replies to ACL DRYRUN for written. Redis 7.0 reads its
// append-only file as the user default, and drops the groups that it may not write.
func inspectRights(replies []*redis.Cmd) error {
	for _, reply := range replies {
		switch {
		case refused(reply.Err()):
			return fmt.Errorf("%w: the rights of the user default can't be read, allow its user +acl|dryrun: %w", ErrUnsafe, reply.Err())
		case reply.Err() != nil:
			return reply.Err()
		case reply.Val() != "OK":
			return fmt.Errorf("%w: Redis reads its append-only file as the user default, give it allkeys allcommands (and off, so that it can't log in): %v", ErrUnsafe, reply.Val())
		}
	}
	return nil
}

// refused reports whether Redis answered a command with an error.
func refused(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && !errors.Is(err, errSetUp)
}

// infoField returns the value of a field of INFO, or "".
func infoField(info, field string) string {
	_, rest, _ := strings.Cut("\r\n"+info, "\r\n"+field+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}
