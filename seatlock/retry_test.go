package seatlock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock/internal/batch"
)

// replyError is an error that Redis replies with.
type replyError string

func (e replyError) Error() string { return string(e) }
func (replyError) RedisError()     {}

func TestClassify_TellsWhetherCommandMayHaveRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err      error
		want     errorKind
		retrying errorKind // with a client that retries by itself
	}{
		{batch.ErrQueueFull, rejected, rejected},
		{fmt.Errorf("%w: %w", batch.ErrTooLate, context.Canceled), rejected, rejected},
		{redis.ErrClosed, rejected, rejected},
		{ErrUnsafe, rejected, rejected},
		{errTooFewReplicas, unknown, unknown},
		{errReply, unknown, unknown},
		{errLate, retryable, unknown},
		{replyError("LOADING Redis is loading the dataset in memory"), retryable, unknown},
		{replyError("ERR max number of clients reached"), retryable, unknown},
		{replyError("ERR Script attempted to access a non local key in a cluster node script: 85ae5e, on @user_script:34."), retryable, unknown},
		{replyError("OOM command not allowed when used memory > 'maxmemory'."), rejected, unknown},
		{replyError("ERR NOAUTH Authentication required."), rejected, unknown},
		{replyError("WRONGTYPE Operation against a key holding the wrong kind of value"), bug, bug},
		{fmt.Errorf("%w: %w", errSetUp, replyError("ERR DB index is out of range")), rejected, unknown},
		{fmt.Errorf("%w: %w", errSetUp, replyError("LOADING Redis is loading the dataset in memory")), retryable, unknown},
		{&net.OpError{Op: "dial", Err: io.EOF}, retryable, unknown},
		{&net.OpError{Op: "read", Err: io.EOF}, unknown, unknown},
		{redis.ErrPoolTimeout, retryable, unknown},
		{io.EOF, unknown, unknown},
	} {
		require.Equal(t, c.want, (&Locker{}).classify(c.err), "%v", c.err)
		require.Equal(t, c.retrying, (&Locker{clientRetries: true}).classify(c.err), "%v, and the client retries", c.err)
	}
}

func TestPause_WaitsLongerAfterEachAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			for attempt, base := range []time.Duration{1: 20 * time.Millisecond, 2: 40 * time.Millisecond} {
				start := time.Now()
				require.True(t, pause(t.Context(), start.Add(time.Second), max(1, attempt)))
				if attempt > 0 {
					require.GreaterOrEqual(t, time.Since(start), base/2)
					require.Less(t, time.Since(start), base*3/2)
				}
			}
		}
	})
}

func TestPause_EndsAtOnceIfRetryCannotSucceed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		require.False(t, pause(t.Context(), start.Add(9*time.Millisecond), 1), "the shortest pause ends after the deadline")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.False(t, pause(ctx, start.Add(time.Minute), 1))
		require.Equal(t, start, time.Now())
	})
}

// An attempt that may have run decides: a later attempt that did not run proves nothing.
func TestWithRetries_OutcomeStaysUnknown(t *testing.T) {
	t.Parallel()
	for _, last := range []error{batch.ErrQueueFull, errLate} {
		synctest.Test(t, func(t *testing.T) {
			l := &Locker{opt: Options{Timeout: time.Minute}}
			results := []error{io.EOF, last, last}
			err := l.withRetries(t.Context(), ErrOutcomeUnknown, func(time.Time) error {
				result := results[0]
				results = results[1:]
				return result
			})
			require.ErrorIs(t, err, ErrOutcomeUnknown)
			require.ErrorIs(t, err, last)
			require.NotErrorIs(t, err, ErrUnavailable)
		})
	}
}

func TestWithRetries_SendsThreeTimesWithSameDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &Locker{opt: Options{Timeout: time.Minute}}
		want := time.Now().Add(time.Minute)
		attempts := 0
		err := l.withRetries(t.Context(), ErrOutcomeUnknown, func(deadline time.Time) error {
			attempts++
			require.Equal(t, want, deadline)
			return errLate
		})
		require.ErrorIs(t, err, ErrUnavailable)
		require.NotErrorIs(t, err, ErrOutcomeUnknown)
		require.Equal(t, 3, attempts)
	})
}

func TestWithRetries_SendsOnceIfRetryCannotSucceed(t *testing.T) {
	t.Parallel()
	for result, isOutage := range map[replyError]bool{"OOM command not allowed": true, "WRONGTYPE Operation": false} {
		attempts := 0
		err := (&Locker{opt: Options{Timeout: time.Minute}}).withRetries(t.Context(), ErrOutcomeUnknown, func(time.Time) error {
			attempts++
			return result
		})
		require.ErrorIs(t, err, result)
		require.Equal(t, 1, attempts)
		require.Equal(t, isOutage, errors.Is(err, ErrUnavailable), "a bug is no outage")
	}
}

func TestWithRetries_SendsNothingIfContextEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := (&Locker{opt: Options{Timeout: time.Minute}}).withRetries(ctx, ErrOutcomeUnknown, func(time.Time) error {
		t.Error("sent")
		return nil
	})
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
}
