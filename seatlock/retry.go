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

// maxAttempts is how often a call is sent at most. Every script may run twice, so the limit
// only protects a Redis that is overloaded.
const maxAttempts = 3

// withRetries calls send until Redis answers, at most maxAttempts times, until
// Options.Timeout has passed. Its error wraps ErrUnavailable if no attempt can have run, and
// otherwise ifUnknown: ErrOutcomeUnknown for a call that changes something. The error of a
// bug wraps neither.
func (l *Locker) withRetries(ctx context.Context, ifUnknown error, send func(deadline time.Time) error) error {
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
		kind := l.classify(err)
		switch kind {
		case bug, refused:
			return err
		case unknown:
			outcome = ifUnknown
		}
		if kind == rejected || attempt == maxAttempts || !pause(ctx, deadline, attempt) {
			return fmt.Errorf("%w: %w", outcome, err)
		}
	}
}

// errorKind is what an error proves about its command.
type errorKind int

const (
	unknown   errorKind = iota // the command may have run
	retryable                  // it did not run; a retry may succeed
	rejected                   // it did not run; a retry would fail, too
	refused                    // it ran and changed nothing: the caller must do something else
	bug                        // it ran and failed: the script has a bug, or a key has a wrong type
)

// redisErrors are the errors with which Redis refuses a command before it runs, by their
// first word (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors).
var redisErrors = map[string]errorKind{
	"LOADING": retryable, "READONLY": retryable, "MASTERDOWN": retryable, "CLUSTERDOWN": retryable,
	"TRYAGAIN": retryable, "NOREPLICAS": retryable, "BUSY": retryable, "MOVED": retryable, "ASK": retryable,
	"OOM": rejected, "MISCONF": rejected, "NOAUTH": rejected, "NOPERM": rejected, "WRONGPASS": rejected,
}

// nonLocalKey is in the error of a script while its slot moves to another node of a cluster: a
// key that is not in KEYS, like event:{event}, may be there already. The scripts of calls read
// such keys before their first write, so nothing has changed.
const nonLocalKey = "attempted to access a non local key"

// classify returns what err proves. If the client retries by itself, its error tells of the
// last attempt only and proves nothing.
func (l *Locker) classify(err error) errorKind {
	switch {
	case errors.Is(err, batch.ErrQueueFull), errors.Is(err, batch.ErrTooLate), errors.Is(err, redis.ErrClosed), errors.Is(err, ErrUnsafe):
		return rejected
	case errors.Is(err, ErrStalePlan), errors.Is(err, ErrUnknownEvent), errors.Is(err, ErrLeased):
		return refused
	case errors.Is(err, errTooFewReplicas), errors.Is(err, errReply):
		return unknown
	case errors.Is(err, errLate) && !l.clientRetries:
		return retryable
	}
	var reply redis.Error
	if errors.As(err, &reply) {
		word, _, _ := strings.Cut(strings.TrimPrefix(reply.Error(), "ERR "), " ")
		kind, listed := redisErrors[word]
		switch {
		case listed:
		case redis.IsMaxClientsError(err), strings.Contains(reply.Error(), nonLocalKey):
			kind = retryable
		case errors.Is(err, errSetUp):
			kind = rejected
		default:
			return bug
		}
		if l.clientRetries {
			return unknown
		}
		return kind
	}
	var op *net.OpError
	dialed := errors.As(err, &op) && op.Op == "dial"
	if (dialed || errors.Is(err, redis.ErrPoolTimeout)) && !l.clientRetries {
		return retryable
	}
	return unknown
}

// pause waits before a retry, longer after each attempt. Jitter keeps callers that failed
// together from retrying together. It reports false if too little time is left, or ctx ends.
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
