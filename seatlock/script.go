package seatlock

import (
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"

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
	//go:embed lua/return.lua
	returnSource string
	//go:embed lua/exchange.lua
	exchangeSource string
	//go:embed lua/release.lua
	releaseSource string
	//go:embed lua/refresh.lua
	refreshSource string
	//go:embed lua/block.lua
	blockSource string
	//go:embed lua/put.lua
	putSource string
	//go:embed lua/delete.lua
	deleteSource string
	//go:embed lua/unlink.lua
	unlinkSource string
	//go:embed lua/list.lua
	listSource string
	//go:embed lua/relay.lua
	relaySource string

	reserveScript  = newScript(eventSource + reserveSource)
	buyScript      = newScript(eventSource + buySource)
	extendScript   = newScript(eventSource + extendSource)
	returnScript   = newScript(eventSource + returnSource)
	exchangeScript = newScript(eventSource + exchangeSource)
	releaseScript  = newScript(eventSource + releaseSource)
	refreshScript  = newScript(eventSource + refreshSource)
	blockScript    = newScript(eventSource + blockSource)
	putScript      = newScript(eventSource + putSource)
	deleteScript   = newScript(eventSource + deleteSource)
	unlinkScript   = newScript(unlinkSource)
	listScript     = newScript(listSource)
	relayScript    = newScript(eventSource + relaySource)
)

// errLate means that a script arrived after the deadline of its call, by the clock of Redis,
// and changed nothing.
var errLate = errors.New("the script arrived too late")

// script is a Lua script and its SHA-1 digest, by which Redis knows it. It replaces
// redis.Script, which can't send several scripts in one pipeline. A command that runs no script
// has a nil script.
type script struct {
	source, digest string
}

func newScript(source string) *script {
	sum := sha1.Sum([]byte(source))
	return &script{source: source, digest: hex.EncodeToString(sum[:])}
}

// notAfterUnset is ARGV[2] of a script until its command is sent.
const notAfterUnset = 0

// command returns the arguments of the command that runs s. args begins with what
// Locker.scriptArgs returns.
func (s *script) command(keys []string, args ...any) []any {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, "evalsha", s.digest, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return append(all, args...)
}

// setNotAfter sets ARGV[2] of cmd, which runs s.
func (s *script) setNotAfter(cmd redis.Cmder, notAfter int64) {
	if s != nil {
		keys := cmd.Args()[2].(int)
		cmd.Args()[3+keys+1] = notAfter
	}
}

// fallBackToEval reports whether Redis does not have the script of cmd, as after a restart or
// a failover. If so, it makes cmd carry the source.
func (s *script) fallBackToEval(cmd redis.Cmder) bool {
	if !redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		return false
	}
	cmd.SetErr(nil)
	cmd.Args()[0], cmd.Args()[1] = "eval", s.source
	return true
}

// readTime returns the time of Redis from the reply to cmd, ms since the epoch; 0 if the
// reply has none. Its error is that of cmd, errLate, ErrStalePlan, ErrUnknownEvent or errReply.
func (s *script) readTime(cmd redis.Cmder) (int64, error) {
	if err := cmd.Err(); err != nil || s == nil {
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
	case code == replyStale:
		return now, ErrStalePlan
	case code == replyDeleting:
		return now, ErrUnknownEvent
	case code == replyDone, code == replyWrongVersion, code == replyOther, code == replyReplayed, code == replyReused:
		return now, nil
	case code > replyReused: // the reply begins with the time
		return code, nil
	}
	return 0, nil
}
