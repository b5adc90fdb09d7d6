package seatlock

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
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

// The first number of a script's reply.
const (
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

// command returns the arguments of the command that runs s.
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

// eval runs s by cmd, which s.command made, outside of any round.
func (l *Locker) eval(ctx context.Context, deadline time.Time, s script, cmd redis.Cmder) error {
	err := l.do(ctx, deadline, cmd)
	if s.forgotten(cmd) {
		err = l.do(ctx, deadline, cmd)
	}
	return err
}

// do sends cmd, outside of any round, on a connection that no read blocks.
func (l *Locker) do(ctx context.Context, deadline time.Time, cmd redis.Cmder) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	pipe := l.client.Pipeline()
	_ = pipe.Process(ctx, cmd) // which queues it
	_, err := pipe.Exec(ctx)
	return err
}
