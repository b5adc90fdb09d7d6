package functions_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/internal/api"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

func TestFaults_HaveTheirCode(t *testing.T) {
	t.Parallel()
	const body = `{"seat_id":"1A","user_id":"ann"}`
	t.Run("internal", func(t *testing.T) {
		t.Parallel()
		r := redistest.Mini(t)
		b := setup(t, r, "")
		r.Mini.SetError("ERR Error running script 127.0.0.1")
		b.post(t, "/reserve", body).problem(t, 500, "internal")
		b.post(t, "/buy", body).problem(t, 500, "internal")
		b.get(t, "/seats/1A").problem(t, 500, "internal")
		for _, path := range []string{"/seats", "/changes", "/sales", "/journal"} {
			b.get(t, path).problem(t, 500, "internal")
		}
	})
	t.Run("unavailable", func(t *testing.T) {
		t.Parallel()
		r := redistest.Mini(t)
		b := setup(t, r, "")
		r.Mini.Close()
		b.post(t, "/reserve", body).problem(t, 503, "unavailable")
		b.post(t, "/buy", body).problem(t, 503, "unavailable")
		for _, path := range []string{"/seats/1A", "/seats", "/changes", "/sales", "/journal"} {
			require.NotContains(t, b.get(t, path).problem(t, 503, "unavailable")["detail"], "changed", path)
		}
		setup(t, r, "").get(t, "/readyz").problem(t, 503, "unavailable") // it has never reached Redis
	})
	t.Run("unavailable, because Redis refuses the password", func(t *testing.T) {
		t.Parallel()
		r := redistest.Mini(t)
		r.Mini.RequireAuth("secret")
		b := setupClient(t, r.Client(t), "", seatlock.Options{Timeout: time.Minute})
		for _, call := range mutations() {
			b.post(t, call, body).problem(t, 503, "unavailable")
		}
		for _, path := range []string{"/seats/1A", "/seats", "/changes", "/sales", "/journal", "/readyz"} {
			b.get(t, path).problem(t, 503, "unavailable")
		}
	})
	t.Run("unavailable, because a sale would not be durable", func(t *testing.T) {
		t.Parallel()
		r := redistest.Server(t)
		b := setupClient(t, r.Client(t), "", seatlock.Options{Timeout: time.Minute, Durable: true})
		b.post(t, "/reserve", body).success(t)
		b.post(t, "/buy", body).problem(t, 503, "unavailable")
		require.Equal(t, "Reserved", b.get(t, "/seats/1A").success(t)["status"])
	})
	t.Run("outcome_unknown", func(t *testing.T) {
		t.Parallel()
		r := redistest.Mini(t)
		proxy := redistest.NewProxy(t, r)
		b := setupClient(t, r.Client(t, proxy.Addr), "", seatlock.Options{Timeout: time.Minute})
		proxy.LoseReplies(true)
		b.post(t, "/reserve", body).problem(t, 503, "outcome_unknown")
		proxy.LoseReplies(false)
		b.post(t, "/reserve", body).success(t)
		proxy.LoseReplies(true)
		b.post(t, "/buy", body).problem(t, 503, "outcome_unknown")
		b.get(t, "/seats/1A").problem(t, 503, "unavailable")
		proxy.LoseReplies(false)
		b.post(t, "/buy", body).success(t)
	})
	t.Run("draining", func(t *testing.T) {
		t.Parallel()
		b := setup(t, redistest.Mini(t), "")
		b.monitor.Drain()
		b.get(t, "/readyz").problem(t, 503, "draining")
		b.post(t, "/reserve", body).success(t)
		b.get(t, "/healthz").success(t)
	})
	t.Run("a panic", func(t *testing.T) {
		t.Parallel()
		b := setup(t, redistest.Mini(t), "")
		handler, err := functions.Handler("reserve", functions.Deps{Rules: api.Rules{MaxSeats: 10}}, b.monitor) // no Locker
		require.NoError(t, err)
		b.handler = handler
		b.post(t, "/reserve", body).problem(t, 500, "internal")
	})
}
