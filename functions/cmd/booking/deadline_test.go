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

// calls are one of each that asks Redis.
var calls = []struct{ method, path, body string }{
	{http.MethodPost, "/reserve", `{"seat_id":"2A","user_id":"ann"}`},
	{http.MethodPost, "/buy", ann1A},
	{http.MethodPost, "/extend", ann1A},
	{http.MethodPost, "/release", `{"seat_id":"3A","user_id":"ann"}`},
	{http.MethodGet, "/seats/1A", ""},
	{http.MethodGet, "/seats", ""},
	{http.MethodGet, "/changes", ""},
}

// request sends one of the calls and returns the status, Retry-After and whether the
// answer says that the change may have been made.
func request(t *testing.T, url, method, path, body string) (status int, retryAfter string, unknown bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	// Far more than REQUEST_TIMEOUT, for a machine that is busy with other things.
	resp, err := (&http.Client{Timeout: redistest.Patience}).Do(req)
	require.NoError(t, err, "%s is not answered", path)
	defer func() { _ = resp.Body.Close() }()
	var text []byte
	if resp.StatusCode != http.StatusOK { // a stream of changes has no end
		text, err = io.ReadAll(resp.Body)
		require.NoError(t, err)
	}
	return resp.StatusCode, resp.Header.Get("Retry-After"), strings.Contains(string(text), `"code":"outcome_unknown"`)
}

func TestEveryCallIsAnsweredWhateverRedisDoes(t *testing.T) {
	t.Parallel()
	for fault, strike := range map[string]func(*testing.T, *redistest.Redis){
		"Stalled": func(t *testing.T, r *redistest.Redis) { r.Pause(t) },
		"Gone":    func(t *testing.T, r *redistest.Redis) { r.Kill(t) },
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			r := redistest.Server(t, "--maxmemory-policy", "noeviction", "--appendonly", "yes", "--appendfsync", "always")
			p := processtest.Start(t, "REDIS_URL="+r.URL(), "REQUEST_TIMEOUT=500ms")
			p.Await(t, "/readyz", http.StatusOK)
			require.Eventually(t, func() bool {
				status, _, _ := request(t, p.URL, http.MethodPost, "/reserve", ann1A)
				return status == http.StatusOK
			}, redistest.Patience, time.Millisecond)

			strike(t, r)
			p.Await(t, "/readyz", http.StatusServiceUnavailable)
			for _, call := range calls {
				var unknown bool
				for range 10 { // on a slow machine a call's time may be over before it is sent
					var status int
					var retryAfter string
					status, retryAfter, unknown = request(t, p.URL, call.method, call.path, call.body)
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
			back := time.Now()
			p.Await(t, "/seats/1A", http.StatusOK)
			t.Logf("%s: answered again %v after Redis", fault, time.Since(back).Round(time.Millisecond))
			p.Await(t, "/readyz", http.StatusOK)
			for _, call := range calls {
				require.Eventually(t, func() bool {
					status, _, _ := request(t, p.URL, call.method, call.path, call.body)
					return status == http.StatusOK
				}, redistest.Patience, time.Millisecond, call.path)
			}
		})
	}
}
