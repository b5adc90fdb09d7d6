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
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(answer)
}

func TestReserveBuySeatUnderTheFramework(t *testing.T) {
	t.Parallel()
	p := processtest.Start(t)
	p.Await(t, "/readyz", http.StatusOK)
	body := `{"seat_id":"1A","user_id":"ann"}`
	status, answer := call(t, "POST", p.URL+"/reserve", body)
	require.Equal(t, http.StatusOK, status, answer)
	status, answer = call(t, "POST", p.URL+"/buy", body)
	require.Equal(t, http.StatusOK, status, answer)
	status, answer = call(t, "GET", p.URL+"/seats/1A", "")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"seat_id":"1A","status":"Sold"}`, answer)
	status, answer = call(t, "GET", p.URL+"/nothing", "")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, answer, `"code":"not_found"`)
}

// As the framework's conformance suite does: JSON to / of the one function.
func TestOneFunctionUnderTheFramework(t *testing.T) {
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
			status, answer := call(t, step.method, p.URL+step.path, body)
			require.Equal(t, http.StatusOK, status, answer)
			require.Contains(t, answer, step.want)
			status, _ = call(t, "GET", p.URL+"/nothing", "")
			require.Equal(t, http.StatusNotFound, status)
		}
	})
}

func TestAConfigurationFaultEndsTheProcess(t *testing.T) {
	t.Parallel()
	p := processtest.Start(t, "LOG_LEVEL=loud")
	require.Equal(t, 2, p.Wait())
	require.Contains(t, p.Log(), "LOG_LEVEL")
}

func TestArguments_AskForHelpOrVersion(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{"--help": "HOLD_TTL", "--version": "booking "} {
		status, stdout, stderr := processtest.Run(t, arg)
		require.Zero(t, status, arg)
		require.Empty(t, stderr, arg)
		require.Contains(t, stdout, want)
	}
}

func TestLog_HasALineForEachCallAtDebug(t *testing.T) {
	t.Parallel()
	p := processtest.Start(t, "LOG_LEVEL=debug")
	p.Await(t, "/readyz", http.StatusOK)
	call(t, "POST", p.URL+"/buy", `{"seat_id":"1A","user_id":"ann"}`)
	p.AwaitLog(t, `"event":"default","user":"ann","code":"hold_expired","seats":["1A"]`)
}
