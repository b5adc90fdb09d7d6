package metrics_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/hall"
	"booking/functions/internal/metrics"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

// scrape returns the value of each metric, by its name and labels.
func scrape(t *testing.T, m *metrics.Metrics) map[string]string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, rec.Code)
	values := map[string]string{}
	for line := range strings.Lines(rec.Body.String()) {
		if i := strings.LastIndex(line, " "); !strings.HasPrefix(line, "#") && i > 0 {
			values[line[:i]] = strings.TrimSpace(line[i:])
		}
	}
	return values
}

// requireValues requires that m has these values.
func requireValues(t *testing.T, m *metrics.Metrics, want map[string]string) {
	t.Helper()
	values := scrape(t, m)
	for name, value := range want {
		require.Equal(t, value, values[name], name)
	}
}

func TestMetrics_ReportStateOfProcess(t *testing.T) {
	t.Parallel()
	ready := false
	m := metrics.New("v7", func() bool { return ready }, func() bool { return true })
	offset := 1500 * time.Millisecond
	m.Clock(func() time.Duration { return offset })
	open := m.Streams(9)
	requireValues(t, m, map[string]string{
		`booking_build_info{version="v7"}`:   "1",
		`booking_ready`:                      "0",
		`booking_redis_clock_offset_seconds`: "1.5",
		`booking_redis_clock_jumps_total`:    "0",
		`booking_redis_batch_calls_count`:    "0",
		`booking_streams`:                    "0",
		`booking_stream_limit`:               "9",
	})
	ready, offset = true, -time.Second
	m.ClockJump()
	m.Batch(3)
	m.Batch(256)
	for _, delta := range []int{1, 1, -1} {
		open(delta)
	}
	requireValues(t, m, map[string]string{
		`booking_ready`:                              "1",
		`booking_redis_clock_offset_seconds`:         "-1",
		`booking_redis_clock_jumps_total`:            "1",
		`booking_redis_batch_calls_count`:            "2",
		`booking_redis_batch_calls_sum`:              "259",
		`booking_redis_batch_calls_bucket{le="2"}`:   "0",
		`booking_redis_batch_calls_bucket{le="4"}`:   "1",
		`booking_redis_batch_calls_bucket{le="256"}`: "2",
		`booking_streams`:                            "1",
	})
	require.Contains(t, scrape(t, m), "go_goroutines")
	require.Contains(t, scrape(t, m), "process_resident_memory_bytes")
}

// An error that Redis replies with is no outage.
func TestMetrics_TellRepliesFromOutages(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	client := r.Client(t)
	pipe := client.Pipeline()
	pipe.Ping(t.Context())
	_, err := pipe.Exec(t.Context())
	require.NoError(t, errors.Join(err, client.Ping(t.Context()).Err())) // to connect takes round trips of its own
	m := metrics.New("test", func() bool { return true }, func() bool { return true })
	m.Redis(client, func() int { return 3 }, 10)
	const ok, failed = `booking_redis_round_trip_seconds_count{result="ok"}`, `booking_redis_round_trip_seconds_count{result="error"}`

	require.NoError(t, client.Ping(t.Context()).Err())
	requireValues(t, m, map[string]string{ok: "1", failed: "", "booking_redis_queued_calls": "3", "booking_redis_queue_limit": "10"})
	require.Error(t, client.Do(t.Context(), "unknown").Err())
	pipe = client.Pipeline()
	pipe.Ping(t.Context())
	pipe.Do(t.Context(), "unknown")
	_, err = pipe.Exec(t.Context())
	require.Error(t, err)
	requireValues(t, m, map[string]string{ok: "3", failed: ""})

	r.Mini.Close()
	require.Error(t, client.Ping(t.Context()).Err())
	pipe = client.Pipeline()
	pipe.Ping(t.Context())
	_, err = pipe.Exec(t.Context())
	require.Error(t, err)
	requireValues(t, m, map[string]string{ok: "3", failed: "2"})
}

func TestMetrics_CountViewsAndSeats(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	locker, err := seatlock.New(r.Client(t), seatlock.Options{Timeout: time.Minute})
	require.NoError(t, err)
	halls := hall.New(locker)
	m := metrics.New("test", func() bool { return true }, func() bool { return true })
	m.Halls(halls)
	for i, event := range []string{"gala", "matinee"} {
		_, err := locker.Reserve(t.Context(), event, []string{"1A", "1B", "1C"}[:i+1], "ann")
		require.NoError(t, err)
		h, err := halls.Hall(event)
		require.NoError(t, err)
		_, err = h.SeatMap(t.Context(), 0, func(string) bool { return false })
		require.NoError(t, err)
	}
	requireValues(t, m, map[string]string{"booking_views": "2", "booking_view_seats": "3", "booking_view_reloads_total": "0"})
	require.NoError(t, r.Admin(t).FlushAll(t.Context()).Err())
	h, err := halls.Hall("gala")
	require.NoError(t, err)
	_, err = h.SeatMap(t.Context(), 0, func(string) bool { return false })
	require.NoError(t, err)
	requireValues(t, m, map[string]string{"booking_views": "2", "booking_view_seats": "2", "booking_view_reloads_total": "1"})
}

func TestMiddleware_MeasuresRequests(t *testing.T) {
	t.Parallel()
	m := metrics.New("test", func() bool { return true }, func() bool { return true })
	const inFlight = `booking_requests_in_flight{function="buy"}`
	handler := m.Middleware("buy", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requireValues(t, m, map[string]string{inFlight: "1"})
		w.WriteHeader(http.StatusTeapot)
	}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/buy", nil))
	requireValues(t, m, map[string]string{inFlight: "0", `booking_request_duration_seconds_count{code="418",function="buy"}`: "1"})
}

func TestRelay_ReportsItsStats(t *testing.T) {
	t.Parallel()
	m := metrics.New("v7", func() bool { return true }, func() bool { return true })
	stats := metrics.RelayStats{}
	m.Relay(func() metrics.RelayStats { return stats })
	stats = metrics.RelayStats{Events: 7, Stopped: 1, Unsent: 5, Lag: 1500 * time.Millisecond, Sent: 11, Failures: 3, Resets: 2}
	requireValues(t, m, map[string]string{
		`booking_relay_events`: "7", `booking_relay_stopped_events`: "1", `booking_relay_unsent_changes`: "5", `booking_relay_lag_seconds`: "1.5",
		`booking_relay_sent_total`: "11", `booking_relay_failures_total`: "3", `booking_relay_resets_total`: "2",
	})
}
