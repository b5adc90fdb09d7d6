package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/internal/processtest"
	"booking/seatlock/redistest"
)

// redisCalls has a call of each function that asks Redis.
var redisCalls = []struct{ method, path, body string }{
	{http.MethodPost, "/reserve", `{"seat_id":"2A","user_id":"ann"}`},
	{http.MethodPost, "/buy", ann1A},
	{http.MethodPost, "/extend", ann1A},
	{http.MethodPost, "/release", `{"seat_id":"3A","user_id":"ann"}`},
	{http.MethodGet, "/seats/1A", ""},
	{http.MethodGet, "/seats", ""},
	{http.MethodGet, "/changes", ""},
}

// send sends a call. It returns the status, Retry-After, and whether the outcome is unknown.
func send(t *testing.T, url, method, path, body string) (status int, retryAfter string, unknown bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	// Far more than REQUEST_TIMEOUT, for a busy machine.
	resp, err := (&http.Client{Timeout: redistest.WaitLimit}).Do(req)
	require.NoError(t, err, "no response to %s", path)
	defer func() { _ = resp.Body.Close() }()
	var text []byte
	if resp.StatusCode != http.StatusOK { // a stream of changes does not end
		text, err = io.ReadAll(resp.Body)
		require.NoError(t, err)
	}
	return resp.StatusCode, resp.Header.Get("Retry-After"), strings.Contains(string(text), `"code":"outcome_unknown"`)
}

func TestBooking_AnswersWhileRedisIsDown(t *testing.T) {
	t.Parallel()
	for fault, inject := range map[string]func(*testing.T, *redistest.Redis){
		"Stalled": func(t *testing.T, r *redistest.Redis) { r.Pause(t) },
		"Gone":    func(t *testing.T, r *redistest.Redis) { r.Kill(t) },
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			r := redistest.Server(t, "--maxmemory-policy", "noeviction", "--appendonly", "yes", "--appendfsync", "always")
			p := processtest.Start(t, "REDIS_URL="+r.URL(), "REQUEST_TIMEOUT=500ms")
			p.Await(t, "/readyz", http.StatusOK)
			require.Eventually(t, func() bool {
				status, _, _ := send(t, p.URL, http.MethodPost, "/reserve", ann1A)
				return status == http.StatusOK
			}, redistest.WaitLimit, time.Millisecond)

			inject(t, r)
			p.AwaitLog(t, "calls are answered 503: Redis does not answer")
			status, _ := get(t, p.URL+"/readyz")
			require.Equal(t, http.StatusOK, status, "all processes have the outage, so they stay and answer")
			for _, call := range redisCalls {
				var unknown bool
				for range 10 { // on a slow machine a call may time out before it reaches Redis
					var status int
					var retryAfter string
					status, retryAfter, unknown = send(t, p.URL, call.method, call.path, call.body)
					require.Equal(t, http.StatusServiceUnavailable, status, call.path)
					require.Equal(t, "1", retryAfter, call.path)
					if unknown || fault == "Gone" || call.method == http.MethodGet {
						break
					}
				}
				require.Equal(t, fault == "Stalled" && call.method == http.MethodPost, unknown, call.path)
			}

			if fault == "Stalled" {
				r.Resume(t)
			} else {
				r.Start(t)
			}
			start := time.Now()
			p.Await(t, "/seats/1A", http.StatusOK)
			t.Logf("%s: recovered %v after Redis", fault, time.Since(start).Round(time.Millisecond))
			p.Await(t, "/readyz", http.StatusOK)
			for _, call := range redisCalls {
				require.Eventually(t, func() bool {
					status, _, _ := send(t, p.URL, call.method, call.path, call.body)
					return status == http.StatusOK
				}, redistest.WaitLimit, time.Millisecond, call.path)
			}
		})
	}
}
