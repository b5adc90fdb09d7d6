package functions_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/internal/metrics"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

// measure makes b count its seats. The function that it returns has the counters so far.
func measure(t *testing.T, b *testBundle) func() []string {
	t.Helper()
	m := metrics.New("test", func() bool { return true }, func() bool { return true })
	b.middleware = []functions.Middleware{m.Middleware}
	b.serve(t, "")
	return func() (counters []string) {
		rec := httptest.NewRecorder()
		m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		require.Equal(t, http.StatusOK, rec.Code)
		for line := range strings.Lines(rec.Body.String()) {
			if counter, found := strings.CutPrefix(strings.TrimSpace(line), "booking_seats_total"); found {
				counters = append(counters, counter)
			}
		}
		return counters
	}
}

func TestMetrics_CountSeatsByFunctionAndOutcome(t *testing.T) {
	t.Parallel()
	b := setupClient(t, redistest.Mini(t).Client(t), "", seatlock.Options{Timeout: time.Minute, MaxSeatsPerUser: 3})
	counters := measure(t, b)
	for _, call := range []struct{ path, body string }{
		{"/reserve", `{"seat_ids":["1A","1B"],"user_id":"ann"}`},
		{"/reserve", `{"seat_ids":["1A","1B"],"user_id":"ann"}`}, // again
		{"/reserve", `{"seat_ids":["1B","1C","1D"],"user_id":"bob"}`},
		{"/reserve", `{"seat_ids":["1C","1D"],"user_id":"ann"}`}, // too many
		{"/extend", `{"seat_ids":["1A","1B"],"user_id":"ann"}`},
		{"/extend", `{"seat_id":"1A","user_id":"bob"}`},
		{"/buy", `{"seat_id":"1A","user_id":"ann"}`},
		{"/buy", `{"seat_ids":["2A","2B"],"user_id":"ann"}`},
		{"/extend", `{"seat_id":"1A","user_id":"ann"}`}, // sold already
		{"/release", `{"seat_id":"1A","user_id":"ann"}`},
		{"/release", `{"seat_id":"1B","user_id":"ann"}`},
	} {
		b.post(t, call.path, call.body)
	}
	require.Equal(t, []string{
		`{call="buy",outcome="hold_expired"} 2`,
		`{call="buy",outcome="sold"} 1`,
		`{call="extend",outcome="extended"} 3`,
		`{call="extend",outcome="held_by_other"} 1`,
		`{call="release",outcome="released"} 1`,
		`{call="release",outcome="seat_sold"} 1`,
		`{call="reserve",outcome="reserved"} 4`,
		`{call="reserve",outcome="seat_limit"} 2`,
		`{call="reserve",outcome="seat_unavailable"} 3`,
	}, counters())
}

func TestMetrics_CountSeatsOfFaults(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	b := setup(t, r, "")
	counters := measure(t, b)
	r.Mini.SetError("ERR Error running script")
	for _, path := range mutations() {
		b.post(t, path, `{"seat_ids":["1A","1B"],"user_id":"ann"}`).problem(t, 500, "internal")
	}
	r.Mini.Close()
	for _, path := range mutations() {
		b.post(t, path, `{"seat_id":"1A","user_id":"ann"}`).problem(t, 503, "unavailable")
	}
	require.Equal(t, []string{
		`{call="buy",outcome="internal"} 2`,
		`{call="buy",outcome="unavailable"} 1`,
		`{call="extend",outcome="internal"} 2`,
		`{call="extend",outcome="unavailable"} 1`,
		`{call="release",outcome="internal"} 2`,
		`{call="release",outcome="unavailable"} 1`,
		`{call="reserve",outcome="internal"} 2`,
		`{call="reserve",outcome="unavailable"} 1`,
	}, counters())
}

func TestMetrics_CountNoSeatsOfWrongRequestsAndReads(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	counters := measure(t, b)
	for _, path := range mutations() {
		b.post(t, path, `{"seat_id":"1A"}`).problem(t, 422, "invalid_request")
		b.post(t, path, `{"seat_id":"13A","user_id":"ann"}`).problem(t, 404, "unknown_seat")
		b.post(t, path, `{"user_id":"`+strings.Repeat("x", 16<<10)+`"}`).problem(t, 413, "too_large")
		b.do(t, httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{}`))).problem(t, 415, "unsupported_media_type")
		b.get(t, path).problem(t, 405, "method_not_allowed")
	}
	for _, path := range []string{"/seats/1A", "/seats", "/seats/13A", "/docs", "/nothing"} {
		b.get(t, path)
	}
	issuer := identify(t, b)
	for _, path := range mutations() {
		b.post(t, path, `{"seat_id":"1A","user_id":"ann"}`).problem(t, 401, "unauthenticated")
		b.postAs(t, issuer.Token(t, "ann"), path, `{"seat_id":"1A","user_id":"bob"}`).problem(t, 403, "forbidden")
	}
	require.Empty(t, counters())
}

func TestMetrics_CountNoSeatsWhileTheIssuerIsDown(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	counters := measure(t, b)
	issuer := identify(t, b)
	token := issuer.Token(t, "ann")
	issuer.Down()
	identifyBy(t, b, issuer)
	for _, path := range mutations() {
		b.postAs(t, token, path, `{"seat_id":"1A"}`).problem(t, 503, "unavailable")
	}
	require.Empty(t, counters())
}
