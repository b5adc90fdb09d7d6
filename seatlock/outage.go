package seatlock

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"booking/seatlock/internal/batch"
)

// maxAttempts is how often a command is sent before its caller hears of a
// fault. Every script may be run again, so the count is bounded only to keep a
// struggling Redis from being asked ever more.
const maxAttempts = 3

// try calls send until Redis answers, at most maxAttempts times within the
// locker's timeout. Its error wraps ErrUnavailable where no attempt can have run
// and otherwise lost, which is ErrOutcomeUnknown for what changes something; or
// it is what Redis said, where that points to a defect.
func (l *Locker) try(ctx context.Context, lost error, send func(deadline time.Time) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	deadline := time.Now().Add(l.opt.Timeout)
	outcome := ErrUnavailable
	for attempt := 1; ; attempt++ {
		err := send(deadline)
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
		if f == final || attempt == maxAttempts || !pause(ctx, deadline, attempt) {
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
	"TRYAGAIN": temporary, "NOREPLICAS": temporary, "BUSY": temporary, "MOVED": temporary, "ASK": temporary,
	"OOM": final, "MISCONF": final, "NOAUTH": final, "NOPERM": final, "WRONGPASS": final,
}

// classify tells what err proves. Where the client itself sends commands again,
// an error speaks of its last attempt alone and proves nothing.
func (l *Locker) classify(err error) fault {
	switch {
	case errors.Is(err, batch.ErrQueueFull), errors.Is(err, batch.ErrTooLate), errors.Is(err, redis.ErrClosed), errors.Is(err, ErrUnsafe):
		return final
	case errors.Is(err, errTooFewReplicas), errors.Is(err, errReply):
		return unknown
	case errors.Is(err, errLate) && !l.clientRetries:
		return temporary
	}
	var reply redis.Error
	if errors.As(err, &reply) {
		word, _, _ := strings.Cut(strings.TrimPrefix(reply.Error(), "ERR "), " ")
		f, refused := refusals[word]
		switch {
		case !refused && redis.IsMaxClientsError(err):
			f = temporary
		case !refused && errors.Is(err, errSetUp):
			f = final
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
// false where there is no time for that, or the context ends first.
func pause(ctx context.Context, deadline time.Time, attempt int) bool {
	base := 10 * time.Millisecond << attempt
	wait := base/2 + rand.N(base)
	if wait > time.Until(deadline) {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
