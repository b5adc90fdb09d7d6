package seatlock

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed lua/event.lua
	eventSource string
	//go:embed lua/change.lua
	changeSource string
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

// maxAttempts is how often a command is sent before its caller hears of a
// fault. Every script may be run again, so the count is bounded only to keep a
// struggling Redis from being asked ever more.
const maxAttempts = 3

// script is a Lua script and the digest that Redis knows it by. redis.Script
// can't be used here: it waits for its answer without looking at the context.
type script struct {
	source, digest string
}

func newScript(source string) script {
	source = eventSource + strings.Replace(source, "-- include change.lua\n", changeSource, 1)
	sum := sha1.Sum([]byte(source))
	return script{source: source, digest: hex.EncodeToString(sum[:])}
}

// noUser are the arguments of lua/event.lua for a script that concerns no user.
var noUser = []any{"", 0}

// run executes s, of which it makes no difference whether it runs twice, and
// returns its reply of integers.
func (l *Locker) run(ctx context.Context, s script, keys []string, args ...any) ([]int64, error) {
	var reply []int64
	err := l.try(ctx, ErrOutcomeUnknown, func(ctx context.Context) error {
		return l.eval(ctx, s, func(ctx context.Context, args []any) (redis.Cmder, func()) {
			cmd := redis.NewIntSliceCmd(ctx, args...)
			return cmd, func() { reply = cmd.Val() }
		}, keys, args...)
	})
	return reply, err
}

// eval sends s once, as the command that newCommand makes of its arguments, and
// calls what that returns when there is a reply. Redis forgets scripts when it
// restarts or fails over, so a digest that it does not know is sent again as source.
func (l *Locker) eval(ctx context.Context, s script, newCommand func(context.Context, []any) (redis.Cmder, func()), keys []string, args ...any) error {
	send := func(name, script string) error {
		all := make([]any, 0, 3+len(keys)+len(args))
		all = append(all, name, script, len(keys))
		for _, key := range keys {
			all = append(all, key)
		}
		cmd, done := newCommand(ctx, append(all, args...))
		err := l.pipe.Submit(ctx, cmd).WaitContext(ctx)
		if err == nil {
			done()
		}
		return err
	}
	err := send("evalsha", s.digest)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		err = send("eval", s.source)
	}
	return err
}

// try calls send until Redis answers, at most maxAttempts times within the
// locker's timeout. Its error wraps ErrUnavailable where no attempt can have run
// and otherwise lost, which is ErrOutcomeUnknown for what changes something; or
// it is what Redis said, where that points to a defect.
func (l *Locker) try(ctx context.Context, lost error, send func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	ctx, cancel := context.WithTimeout(ctx, l.opt.Timeout)
	defer cancel()
	outcome := ErrUnavailable
	for attempt := 1; ; attempt++ {
		err := send(ctx)
		if err == nil {
			return nil
		}
		f := l.classify(err)
		switch f {
		case defect:
			return err
		case unknown:
			outcome = lost
		}
		if f == final || attempt == maxAttempts || !pause(ctx, attempt) {
			return fmt.Errorf("%w: %w", outcome, err)
		}
	}
}

// fault says what an error proves about the command that it answers.
type fault int

const (
	unknown   fault = iota // it may have run
	temporary              // it did not run, and may be sent again at once
	final                  // it did not run, and would not now
	defect                 // Redis ran it, and can't
)

// refusals are the errors with which Redis refuses a command before it runs,
// by their first word (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors).
var refusals = map[string]fault{
	"LOADING": temporary, "READONLY": temporary, "MASTERDOWN": temporary, "CLUSTERDOWN": temporary,
	"TRYAGAIN": temporary, "NOREPLICAS": temporary, "BUSY": temporary,
	"OOM": final, "MISCONF": final, "NOAUTH": final, "NOPERM": final, "WRONGPASS": final,
}

// classify tells what err proves. Where the client itself sends commands again,
// an error speaks of its last attempt alone and proves nothing.
func (l *Locker) classify(err error) fault {
	if errors.Is(err, redis.ErrAutoPipelineQueueFull) || errors.Is(err, redis.ErrClosed) {
		return final
	}
	var reply redis.Error
	if errors.As(err, &reply) {
		word, _, _ := strings.Cut(strings.TrimPrefix(reply.Error(), "ERR "), " ")
		f, refused := refusals[word]
		switch {
		case !refused && redis.IsMaxClientsError(err):
			f = temporary
		case !refused:
			return defect
		}
		if l.clientRetries {
			return unknown
		}
		return f
	}
	var op *net.OpError
	dialed := errors.As(err, &op) && op.Op == "dial"
	if (dialed || errors.Is(err, redis.ErrPoolTimeout)) && !l.clientRetries {
		return temporary
	}
	return unknown
}

// pause waits a little before the next attempt, longer after each, with jitter
// so that callers who failed together do not come back together. It reports
// false where the context ends first.
func pause(ctx context.Context, attempt int) bool {
	base := 10 * time.Millisecond << attempt
	timer := time.NewTimer(base/2 + rand.N(base))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
