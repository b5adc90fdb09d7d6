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

// safetyAge is how long Buy believes that a node is safe before it checks the node again.
const safetyAge = time.Second

// maxReplicaLag is the age of a replica's last acknowledgement, in seconds, up to which the
// replica counts. It is the default of Redis's min-replicas-max-lag.
const maxReplicaLag = 10

// safetyCheck is the result of the last inspection of a node.
type safetyCheck struct {
	mu       sync.Mutex
	passedAt time.Time // zero if the node was not safe
	complete bool      // see aofComplete
}

// passedRecently reports whether the node was safe within safetyAge.
func (s *safetyCheck) passedRecently() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.passedAt.IsZero() && time.Since(s.passedAt) < safetyAge
}

// record sets the result of an inspection, nil if the node is safe.
func (s *safetyCheck) record(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passedAt = time.Time{}
	if err == nil {
		s.passedAt = time.Now()
	}
}

// aofComplete reports whether a restart would load all sales from the append-only file.
// Until the first rewrite after "appendonly yes" has ended, Redis loads an older file, or
// none. INFO does not tell that rewrite from later ones, which are harmless. So the file
// counts as complete once an inspection sees no rewrite, until appendonly is off.
func (s *safetyCheck) aofComplete(enabled, noRewrite bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.complete = enabled && (s.complete || noRewrite)
	return s.complete
}

// Ping reports whether Redis answers: nil or ErrUnavailable.
func (l *Locker) Ping(ctx context.Context) error {
	err := l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) error {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		return l.eachNode(ctx, l.readClock)
	})
	if err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	return nil
}

// Check reports whether Redis answers and keeps what is written to it. It fails with
// ErrUnavailable, or with ErrUnsafe and the setting to change.
//
// The eviction policy must be noeviction: when memory is full, allkeys-* frees sold seats and
// volatile-* frees held ones (https://redis.io/docs/latest/develop/reference/eviction/). The
// server must be a primary, because a replica takes no writes. Options.Durable and
// Options.SaleReplicas require more. While they are not met, Buy, Return and Exchange fail with
// ErrUnavailable.
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

// requireSafe inspects n unless it was safe within safetyAge. So it delays one sale in a
// safetyAge.
func (l *Locker) requireSafe(ctx context.Context, n *node) error {
	if n.safety.passedRecently() {
		return nil
	}
	return l.inspect(ctx, n)
}

// inspect returns ErrUnsafe with the setting to change, or the error of an n that does not
// answer.
func (l *Locker) inspect(ctx context.Context, n *node) error {
	pipe := n.client.Pipeline()
	info := pipe.Info(ctx, "memory", "replication", "persistence")
	var settings []*redis.MapStringStringCmd
	var rights []*redis.Cmd
	if l.opt.Durable {
		for _, want := range durableSettings {
			settings = append(settings, pipe.ConfigGet(ctx, want.name))
		}
		for _, command := range aofCommands {
			rights = append(rights, pipe.Do(ctx, append([]any{"acl", "dryrun", "default"}, command...)...))
		}
	}
	_ = exec(ctx, pipe) // each command has its own error
	err := info.Err()
	if err == nil {
		err = cmp.Or(inspectServer(info.Val()), inspectReplicas(info.Val(), l.opt.SaleReplicas))
	}
	if err == nil && l.opt.Durable {
		err = cmp.Or(n.inspectAOF(info.Val()), inspectSettings(settings), inspectRights(rights))
	}
	n.safety.record(err)
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

// inspectReplicas requires want replicas that keep up.
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

// inspectAOF requires that a restart would load all sales from the append-only file.
func (n *node) inspectAOF(info string) error {
	enabled := infoField(info, "aof_enabled") == "1"
	failed := infoField(info, "aof_last_bgrewrite_status") != "ok"
	rewriting := infoField(info, "aof_rewrite_in_progress") != "0" || infoField(info, "aof_rewrite_scheduled") != "0"
	switch complete := n.safety.aofComplete(enabled, !rewriting && !failed); {
	case !enabled:
		return unsafeSetting("appendonly", "no", "set it to yes in the configuration file and restart Redis (CONFIG SET would replace the file of an earlier run)")
	case !complete && failed:
		return fmt.Errorf("%w: the last rewrite of the append-only file failed, see the log of Redis and run BGREWRITEAOF", ErrUnsafe)
	case !complete:
		return fmt.Errorf("%w: the append-only file is not complete yet, wait until its first rewrite has ended", ErrUnsafe)
	}
	return nil
}

// durableSettings make Redis write to disk before it answers. The values in force count, not
// those of the configuration file.
var durableSettings = []struct{ name, value string }{
	{"appendfsync", "always"},
	{"no-appendfsync-on-rewrite", "no"},
}

// inspectSettings requires durableSettings; replies are those to CONFIG GET.
func inspectSettings(replies []*redis.MapStringStringCmd) error {
	for i, reply := range replies {
		want := durableSettings[i]
		switch value := reply.Val()[want.name]; {
		case isReplyError(reply.Err()):
			return fmt.Errorf("%w: %s can't be read, allow its user +config|get: %w", ErrUnsafe, want.name, reply.Err())
		case reply.Err() != nil:
			return reply.Err()
		case value != want.value:
			return unsafeSetting(want.name, value, "set it to "+want.value)
		}
	}
	return nil
}

// aofCommands are commands like those that the scripts leave in the append-only file.
var aofCommands = [][]any{
	{"set", seatKey("e", "s"), "v"},
	{"del", seatKey("e", "s")},
	{"zadd", seatsKey("e"), 1, "s"},
	{"zadd", userKey("e", "u"), 1, "s"},
	{"zrem", seatsKey("e"), "s"},
	{"zremrangebyscore", userKey("e", "u"), 0, 1},
	{"xadd", changesKey("e"), "*", "f", "v"},
	{"xtrim", changesKey("e"), "maxlen", 1},
	{"pexpireat", seatsKey("e"), 1},
	{"persist", seatsKey("e")},
	{"hset", eventKey("e"), "f", "v"},
	{"hdel", blockedKey("e"), "s"},
	{"hset", relayKey("e"), "f", "v"},
}

// inspectRights requires that the user default may run aofCommands; replies are those to ACL
// DRYRUN. Redis 7.0 replays the append-only file as that user. It drops the commands that
// the user may not run without a message, including group writes.
func inspectRights(replies []*redis.Cmd) error {
	for _, reply := range replies {
		switch {
		case isReplyError(reply.Err()):
			return fmt.Errorf("%w: the rights of the user default can't be read, allow its user +acl|dryrun: %w", ErrUnsafe, reply.Err())
		case reply.Err() != nil:
			return reply.Err()
		case reply.Val() != "OK":
			return fmt.Errorf("%w: Redis replays its append-only file as the user default, give it allkeys allcommands (and off, so that it can't log in): %v", ErrUnsafe, reply.Val())
		}
	}
	return nil
}

// isReplyError reports whether Redis answered a command with an error.
func isReplyError(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && !errors.Is(err, errSetUp)
}

// infoField returns the value of a field of INFO, "" if there is none.
func infoField(info, field string) string {
	_, rest, _ := strings.Cut("\r\n"+info, "\r\n"+field+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}
