package readiness_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/readiness"
	"booking/seatlock"
)

func status(handler http.Handler) int {
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	return rec.Code
}

func TestMonitor_IsReadyWhileTheCheckSucceeds(t *testing.T) {
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

		for _, err := range []error{seatlock.ErrUnavailable, fmt.Errorf("%w: maxmemory-policy", seatlock.ErrUnsafe)} {
			fault.Store(&err)
			time.Sleep(time.Second)
			synctest.Wait()
			require.Equal(t, http.StatusServiceUnavailable, status(m.Readyz()))
			require.Equal(t, http.StatusOK, status(m.Healthz()), "alive, though not ready")
			fault.Store(nil)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			require.Equal(t, http.StatusOK, status(m.Readyz()))
		}

		m.Drain()
		require.Equal(t, http.StatusServiceUnavailable, status(m.Readyz()))
		require.True(t, m.Draining())
	})
}
