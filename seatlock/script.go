package seatlock

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed lua/event.lua
	eventSource string
	//go:embed lua/reserve.lua
	reserveSource string
	//go:embed lua/buy.lua
	buySource string
	//go:embed lua/extend.lua
	extendSource string
	//go:embed lua/release.lua
	releaseSource string
	//go:embed lua/map.lua
	mapSource string
	//go:embed lua/settle.lua
	settleSource string

	reserveScript = newScript(reserveSource)
	buyScript     = newScript(buySource)
	extendScript  = newScript(extendSource)
	releaseScript = newScript(releaseSource)
	mapScript     = newScript(mapSource)
	settleScript  = newScript(settleSource)
)

// The first number of a script's reply; reserve's begins with the time.
const (
	replyLate    = -1
	replyRefused = 0
	replyDone    = 1
	replyLimit   = 2
)

// script is a Lua script and the digest that Redis knows it by. redis.Script
// can't be used here, as it sends one command at a time.
type script struct {
	source, digest string
}

func newScript(source string) script {
	source = eventSource + source
	sum := sha1.Sum([]byte(source))
	return script{source: source, digest: hex.EncodeToString(sum[:])}
}

// notAfterUnset stands for ARGV[2] of a script until its command is sent.
const notAfterUnset = 0

// command returns the arguments of the command that runs s; the first of args is the
// limit, and notAfterUnset the second.
func (s script) command(keys []string, args ...any) []any {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, "evalsha", s.digest, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return append(all, args...)
}

// forgotten reports whether Redis does not know the script of cmd, as after a restart
// or a failover, and changes cmd so that it carries the source of s.
func (s script) forgotten(cmd redis.Cmder) bool {
	if !redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		return false
	}
	cmd.SetErr(nil)
	cmd.Args()[0], cmd.Args()[1] = "eval", s.source
	return true
}

// setNotAfter gives cmd, which runs s, its ARGV[2].
func (s script) setNotAfter(cmd redis.Cmder, notAfter int64) {
	if s.source != "" {
		keys := cmd.Args()[2].(int)
		cmd.Args()[3+keys+1] = notAfter
	}
}

// time returns the clock of Redis from the reply to cmd, ms since the epoch, or 0 if it
// tells none; and the error of cmd, or why its reply is none of s.
func (s script) time(cmd redis.Cmder) (int64, error) {
	if err := cmd.Err(); err != nil || s.source == "" {
		return 0, err
	}
	var first, second any
	switch cmd := cmd.(type) {
	case *redis.IntSliceCmd:
		if len(cmd.Val()) > 1 {
			first, second = cmd.Val()[0], cmd.Val()[1]
		}
	case *redis.SliceCmd:
		if len(cmd.Val()) > 1 {
			first, second = cmd.Val()[0], cmd.Val()[1]
		}
	}
	code, _ := first.(int64)
	now, _ := second.(int64)
	switch {
	case first == nil:
		return 0, fmt.Errorf("%w: less than two values", errReply)
	case code == replyLate:
		return now, errLate
	case code == replyDone:
		return now, nil
	case code > replyLimit:
		return code, nil
	}
	return 0, nil
}

// eval runs s by cmd, which s.command made, outside of any round.
func (l *Locker) eval(ctx context.Context, deadline time.Time, event string, s script, cmd redis.Cmder) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	n, notAfter, err := l.prepare(ctx, batchKey{event: event})
	if err != nil {
		return err
	}
	c := &call{cmd: cmd, script: s}
	l.sendTo(ctx, n, notAfter, batchKey{event: event}, []*call{c})
	return c.err
}

// do sends cmd, outside of any round, on a connection that no read blocks.
func (l *Locker) do(ctx context.Context, deadline time.Time, cmd redis.Cmder) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	pipe := l.client.Pipeline()
	_ = pipe.Process(ctx, cmd) // which queues it
	return exec(ctx, pipe)
}
