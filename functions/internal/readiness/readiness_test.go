package readiness_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/readiness"
	"booking/seatlock"
)

// replyError is an error that Redis answers.
type replyError string

func (e replyError) Error() string { return string(e) }
func (replyError) RedisError()     {}

func status(handler http.Handler) int {
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	return rec.Code
}

func TestMonitor_IsReadyUntilRedisIsUnsafe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fault atomic.Pointer[error]
		m := readiness.New(func(context.Context) error {
			if err := fault.Load(); err != nil {
				return *err
			}
			return nil
		})
		require.Equal(t, http.StatusServiceUnavailable, status(m.Readyz()), "before the first check")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go m.Run(ctx)
		synctest.Wait()
		require.Equal(t, http.StatusOK, status(m.Readyz()))

		for _, c := range []struct {
			err  error
			want int
		}{
			{seatlock.ErrUnavailable, http.StatusOK},
			{context.DeadlineExceeded, http.StatusOK},
			{replyError("LOADING Redis is loading the dataset in memory"), http.StatusOK},
			{replyError("CLUSTERDOWN The cluster is down"), http.StatusOK},
			{replyError("ERR max number of clients reached"), http.StatusOK},
			{replyError("WRONGPASS invalid username-password pair"), http.StatusServiceUnavailable},
			{replyError("NOPERM no permissions"), http.StatusServiceUnavailable},
			{fmt.Errorf("%w: maxmemory-policy", seatlock.ErrUnsafe), http.StatusServiceUnavailable},
		} {
			fault.Store(&c.err)
			time.Sleep(time.Second)
			synctest.Wait()
			require.Equal(t, c.want, status(m.Readyz()), c.err)
			require.Equal(t, c.want == http.StatusOK, m.Ready(), c.err)
			require.False(t, m.Up(), c.err)
			require.Equal(t, http.StatusOK, status(m.Healthz()), "alive, though not ready")
			fault.Store(nil)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			require.Equal(t, http.StatusOK, status(m.Readyz()))
			require.True(t, m.Up())
		}

		m.Drain()
		require.Equal(t, http.StatusServiceUnavailable, status(m.Readyz()))
		require.True(t, m.Draining())
	})
}

func TestMonitor_ChecksMoreOftenWhileUnready(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var checks []time.Duration
		m := readiness.New(func(context.Context) error {
			if checks = append(checks, time.Since(start)); len(checks) <= 3 {
				return seatlock.ErrUnavailable
			}
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		go m.Run(ctx)
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		want := []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond, 1300 * time.Millisecond, 2300 * time.Millisecond}
		require.Equal(t, want, checks)
		cancel()
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, want, checks, "Run has ended")
	})
}

// A check fails after a second without an answer. One that ends because the process does says
// nothing.
func TestMonitor_LimitsCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stalled atomic.Bool
		m := readiness.New(func(ctx context.Context) error {
			if !stalled.Load() {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { m.Run(ctx); close(ended) }()
		synctest.Wait()
		require.True(t, m.Up())
		stalled.Store(true)
		time.Sleep(2*time.Second - time.Nanosecond)
		require.True(t, m.Up(), "the check began after one second")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.False(t, m.Up())

		stalled.Store(false)
		time.Sleep(time.Second)
		synctest.Wait()
		require.True(t, m.Up())
		stalled.Store(true)
		time.Sleep(600 * time.Millisecond) // within a check
		cancel()
		<-ended
		require.True(t, m.Up())
	})
}

func TestMonitor_AnnouncesDrain(t *testing.T) {
	t.Parallel()
	m := readiness.New(func(context.Context) error { return nil })
	require.False(t, m.Draining())
	select {
	case <-m.DrainStarted():
		t.Fatal("drain has not started")
	default:
	}
	m.Drain()
	m.Drain() // again
	<-m.DrainStarted()
	require.True(t, m.Draining())
}

// The test is not parallel because it replaces the default logger.
func TestMonitor_LogsEachChangeOnce(t *testing.T) {
	logger := slog.Default()
	defer slog.SetDefault(logger)
	var log strings.Builder
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	evicts, replica := fmt.Errorf("%w: maxmemory-policy", seatlock.ErrUnsafe), fmt.Errorf("%w: role", seatlock.ErrUnsafe)
	synctest.Test(t, func(t *testing.T) {
		faults := []error{seatlock.ErrUnavailable, seatlock.ErrUnavailable, nil, nil, evicts, evicts, replica, nil}
		ctx, cancel := context.WithCancel(t.Context())
		readiness.New(func(context.Context) error {
			if len(faults) == 0 {
				cancel()
				return nil
			}
			fault := faults[0]
			faults = faults[1:]
			return fault
		}).Run(ctx)
	})
	var messages []string
	for line := range strings.Lines(log.String()) {
		_, message, _ := strings.Cut(line, "msg=")
		messages = append(messages, strings.TrimSpace(message))
	}
	require.Len(t, messages, 5, log.String())
	require.Contains(t, messages[0], "not ready: Redis does not answer")
	require.Contains(t, messages[1], "ready: Redis answers")
	require.Contains(t, messages[2], "maxmemory-policy")
	require.Contains(t, messages[3], "role")
	require.Contains(t, messages[4], "ready: Redis answers")
}
