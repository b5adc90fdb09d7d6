package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/internal/processtest"
	"booking/seatlock/redistest"
)

func TestMain(m *testing.M) { processtest.Main(m, main) }

func call(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

func TestFramework_ServesAllFunctions(t *testing.T) {
	t.Parallel()
	p := processtest.Start(t)
	p.Await(t, "/readyz", http.StatusOK)
	body := `{"seat_id":"1A","user_id":"ann"}`
	status, text := call(t, "POST", p.URL+"/reserve", body)
	require.Equal(t, http.StatusOK, status, text)
	status, text = call(t, "POST", p.URL+"/buy", body)
	require.Equal(t, http.StatusOK, status, text)
	status, text = call(t, "GET", p.URL+"/seats/1A", "")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"seat_id":"1A","status":"Sold"}`, text)
	status, text = call(t, "GET", p.URL+"/nothing", "")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, text, `"code":"not_found"`)
}

// Like the framework's conformance suite, it sends JSON to / of a single function.
func TestFramework_ServesOnlyFunctionTarget(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		body := `{"seat_id":"1A","user_id":"ann"}`
		for _, step := range []struct{ target, method, path, want string }{
			{"reserve", "POST", "/", `"status":"reserved"`},
			{"buy", "POST", "/buy", `"status":"sold"`},
			{"seat", "GET", "/?seat_id=1A", `"status":"Sold"`},
		} {
			p := processtest.Start(t, "REDIS_URL="+r.URL(), "FUNCTION_TARGET="+step.target)
			p.Await(t, "/healthz", http.StatusOK)
			status, text := call(t, step.method, p.URL+step.path, body)
			require.Equal(t, http.StatusOK, status, text)
			require.Contains(t, text, step.want)
			status, _ = call(t, "GET", p.URL+"/nothing", "")
			require.Equal(t, http.StatusNotFound, status)
		}
	})
}

func TestFramework_EndsOnConfigurationFault(t *testing.T) {
	t.Parallel()
	p := processtest.Start(t, "LOG_LEVEL=loud")
	require.Equal(t, 2, p.Wait())
	require.Contains(t, p.Log(), "LOG_LEVEL")
}

func TestFramework_PrintsHelpAndVersion(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{"--help": "HOLD_TTL", "--version": "booking "} {
		status, stdout, stderr := processtest.Run(t, arg)
		require.Zero(t, status, arg)
		require.Empty(t, stderr, arg)
		require.Contains(t, stdout, want)
	}
}

func TestFramework_LogsEachCallAtDebug(t *testing.T) {
	t.Parallel()
	p := processtest.Start(t, "LOG_LEVEL=debug")
	p.Await(t, "/readyz", http.StatusOK)
	call(t, "POST", p.URL+"/buy", `{"seat_id":"1A","user_id":"ann"}`)
	p.AwaitLog(t, `"event":"default","user":"ann","code":"hold_expired","seats":["1A"]`)
}
