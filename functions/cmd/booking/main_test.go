package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/cmd/internal/processtest"
	"booking/seatlock/redistest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // of servers in this process
	processtest.Main(m, main)
}

// post posts a JSON body. It returns the status and the body of the response.
func post(t testing.TB, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	return read(t, resp)
}

func get(t testing.TB, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	return read(t, resp)
}

func read(t testing.TB, resp *http.Response) (int, string) {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

const ann1A = `{"seat_id":"1A","user_id":"ann"}`

func TestBooking_EmbedsRedisWithoutURL(t *testing.T) {
	t.Parallel()
	t.Run("SellsSeatsAndExpiresHolds", func(t *testing.T) {
		t.Parallel()
		p := processtest.Start(t, "HOLD_TTL=1s")
		p.Await(t, "/readyz", http.StatusOK)
		p.AwaitLog(t, "REDIS_URL is not set")

		require.Eventually(t, func() bool { // on a slow machine a hold may end first
			post(t, p.URL+"/reserve", ann1A)
			status, _ := post(t, p.URL+"/buy", ann1A)
			return status == http.StatusOK
		}, redistest.WaitLimit, time.Millisecond, "the seat is never sold")
		status, _ := post(t, p.URL+"/reserve", `{"seat_id":"1B","user_id":"ann"}`)
		require.Equal(t, http.StatusOK, status)
		require.Eventually(t, func() bool {
			_, body := get(t, p.URL+"/seats/1B")
			return strings.Contains(body, "Available")
		}, redistest.WaitLimit, 20*time.Millisecond, "the hold does not expire")
		_, body := get(t, p.URL+"/seats/1A")
		require.JSONEq(t, `{"seat_id":"1A","status":"Sold"}`, body)
	})
	t.Run("RefusesInPod", func(t *testing.T) {
		t.Parallel()
		for _, env := range []string{"KUBERNETES_SERVICE_HOST=10.0.0.1", "K_SERVICE=buy"} {
			p := processtest.Start(t, env)
			require.Equal(t, 2, p.Wait())
			require.Contains(t, p.Log(), "REDIS_URL is not set")
		}
	})
}

func TestBooking_LogsEveryConfigurationFault(t *testing.T) {
	t.Parallel()
	p := processtest.Start(t, "HOLD_TTL=tomorrow", "MAX_SEATS_PER_REQUEST=11", "FUNCTION_TARGET=refund", "REDIS_URL=http://me:secret@host")
	require.Equal(t, 2, p.Wait())
	for _, want := range []string{
		`HOLD_TTL is \"tomorrow\": want a duration from 1s to 15m (MAX_HOLD)`,
		`MAX_SEATS_PER_REQUEST is \"11\": want a number from 1 to 10`,
		`FUNCTION_TARGET is \"refund\": want one of ` + strings.Join(functions.Names(), ", "),
		`REDIS_URL does not begin with redis:// or rediss://`,
	} {
		require.Contains(t, p.Log(), want)
	}
	require.NotContains(t, p.Log(), "secret")
}

func TestBooking_PrintsHelpAndVersion(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"--help", "-help", "-h"} {
		status, stdout, stderr := processtest.Run(t, arg)
		require.Zero(t, status, arg)
		require.Empty(t, stderr, arg)
		require.Contains(t, stdout, "usage: booking", arg)
		require.Regexp(t, `HOLD_TTL +5m +how long a hold lasts: a duration from 1s to MAX_HOLD`, stdout, arg)
	}
	for _, arg := range []string{"--version", "-version"} {
		status, stdout, stderr := processtest.Run(t, arg)
		require.Zero(t, status, arg)
		require.Empty(t, stderr, arg)
		require.Regexp(t, `^booking \S+ go1\.\S+\n$`, stdout, arg)
	}
}

func TestBooking_RefusesOtherArguments(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"serve", "-port=8081", ""} {
		status, stdout, stderr := processtest.Run(t, arg)
		require.Equal(t, 2, status, arg)
		require.Empty(t, stdout, arg)
		require.Contains(t, stderr, "unknown argument", arg)
		require.Contains(t, stderr, "booking --help lists them", arg)
	}
}

func TestBooking_WarnsOfMisspelledVariables(t *testing.T) {
	t.Parallel()
	p := processtest.Start(t, "HOLD_TTTL=secret", "HOSTNAME=pod", "BOOKING_SERVICE_HOST=10.0.0.1")
	p.Await(t, "/healthz", http.StatusOK)
	p.AwaitLog(t, "HOLD_TTTL has no effect: booking has no such variable; did you mean HOLD_TTL?")
	require.Equal(t, 1, strings.Count(p.Log(), "did you mean"))
	require.NotContains(t, p.Log(), "secret")

	p = processtest.Start(t, "REDIS_ULR=redis://host", "K_SERVICE=buy")
	require.Equal(t, 2, p.Wait())
	require.Contains(t, p.Log(), "did you mean REDIS_URL?")
}

func TestBooking_FailsIfPortIsInUse(t *testing.T) {
	t.Parallel()
	first := processtest.Start(t)
	first.Await(t, "/healthz", http.StatusOK)
	port := first.URL[strings.LastIndex(first.URL, ":")+1:]
	second := processtest.Start(t, "PORT="+port)
	require.Equal(t, 1, second.Wait())
	require.Contains(t, second.Log(), "set PORT to a port that is free")
}

func TestBooking_ServesOnlyFunctionTarget(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	all := processtest.Start(t, "REDIS_URL="+r.URL())
	buy := processtest.Start(t, "REDIS_URL="+r.URL(), "FUNCTION_TARGET=buy")
	all.Await(t, "/readyz", http.StatusOK)
	buy.Await(t, "/readyz", http.StatusOK)
	status, _ := post(t, all.URL+"/reserve", ann1A)
	require.Equal(t, http.StatusOK, status)
	for _, path := range []string{"/buy", "/"} {
		status, body := post(t, buy.URL+path, ann1A)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, `"status":"sold"`)
	}
	status, body := post(t, buy.URL+"/reserve", ann1A)
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, body, `"code":"not_found"`)
}

func TestBooking_StartsBeforeRedis(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	r.Kill(t)
	p := processtest.Start(t, "REDIS_URL="+r.URL())
	p.Await(t, "/healthz", http.StatusOK)
	p.Await(t, "/readyz", http.StatusServiceUnavailable)
	status, body := post(t, p.URL+"/reserve", ann1A)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, `"code":"unavailable"`)
	require.NotContains(t, body, r.Addr)
	p.AwaitLog(t, "not ready: Redis does not answer")
	r.Start(t)
	p.Await(t, "/readyz", http.StatusOK)
	status, _ = post(t, p.URL+"/reserve", ann1A)
	require.Equal(t, http.StatusOK, status)
}

func TestBooking_IsUnreadyIfRedisIsUnsafe(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t, "--maxmemory-policy", "volatile-lru")
	p := processtest.Start(t, "REDIS_URL="+r.URL())
	p.Await(t, "/readyz", http.StatusServiceUnavailable)
	p.AwaitLog(t, `maxmemory-policy is \"volatile-lru\", set it to noeviction`)
	require.NoError(t, r.Admin(t).ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err())
	p.Await(t, "/readyz", http.StatusOK)
}

// The password changes while the process runs, and Redis closes its connections.
func TestBooking_IsUnreadyOnceRedisRefusesPassword(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	p := processtest.Start(t, "REDIS_URL="+r.URL())
	p.Await(t, "/readyz", http.StatusOK)
	admin := r.Admin(t)
	require.NoError(t, admin.Do(t.Context(), "acl", "setuser", "booking", "resetpass", ">new").Err())
	require.NoError(t, admin.Do(t.Context(), "client", "kill", "user", "booking").Err())
	p.Await(t, "/readyz", http.StatusServiceUnavailable)
	p.Await(t, "/seats/1B", http.StatusServiceUnavailable)
	for _, call := range []string{"/reserve", "/buy", "/extend", "/release"} {
		status, body := post(t, p.URL+call, ann1A)
		require.Equal(t, http.StatusServiceUnavailable, status, body)
	}
	p.AwaitLog(t, "not ready: Redis refuses; correct REDIS_URL")
	require.NoError(t, admin.Do(t.Context(), "acl", "setuser", "booking", ">booking-dev").Err())
	p.Await(t, "/readyz", http.StatusOK)
}

// Clients reserve seats without pause, until the load balancer sees that the process is
// unready.
func TestBooking_AnswersEveryCallWhileItDrains(t *testing.T) {
	t.Parallel()
	p := processtest.Start(t, "DRAIN_DELAY=10s") // in which this test must see that it is unready
	p.Await(t, "/readyz", http.StatusOK)
	var answered, draining atomic.Int64
	var unready atomic.Bool
	var clients sync.WaitGroup
	for n := range 16 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			for i := 0; !unready.Load(); i++ {
				resp, err := client.Post(p.URL+"/reserve", "application/json", strings.NewReader(fmt.Sprintf(`{"seat_id":"%d-%d","user_id":"ann"}`, n, i)))
				if err != nil {
					t.Errorf("a call was lost: %v", err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("status %d", resp.StatusCode)
				}
				answered.Add(1)
				if resp.Close {
					draining.Add(1)
				}
			}
		})
	}
	require.Eventually(t, func() bool { return answered.Load() > 500 }, redistest.WaitLimit, time.Millisecond)
	p.Signal(t, syscall.SIGTERM)
	p.Await(t, "/readyz", http.StatusServiceUnavailable)
	_, body := get(t, p.URL+"/readyz")
	require.Contains(t, body, `"code":"draining"`)
	before := draining.Load()
	require.Eventually(t, func() bool { return draining.Load() > before }, redistest.WaitLimit, time.Millisecond, "no call is served during the drain")
	unready.Store(true)
	clients.Wait()
	require.Equal(t, 0, p.Wait())
	require.Contains(t, p.Log(), `"msg":"stopped"`)
}

// The listener closes while the call's body is still in transit.
func TestBooking_AnswersCallInFlightAfterListenerClosed(t *testing.T) {
	t.Parallel()
	p := processtest.Start(t, "DRAIN_DELAY=0s")
	p.Await(t, "/readyz", http.StatusOK)
	addr := strings.TrimPrefix(p.URL, "http://")
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST /reserve HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(ann1A))
	require.NoError(t, err)
	responses := bufio.NewReader(conn)
	line, err := responses.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue", "the handler waits for the body")
	_, err = responses.ReadString('\n')
	require.NoError(t, err)

	p.Signal(t, syscall.SIGTERM)
	require.Eventually(t, func() bool {
		probe, err := net.Dial("tcp", addr)
		if err == nil {
			_ = probe.Close()
		}
		return err != nil
	}, redistest.WaitLimit, time.Millisecond, "the listener stays open")
	_, err = conn.Write([]byte(ann1A))
	require.NoError(t, err)
	resp, err := http.ReadResponse(responses, nil)
	require.NoError(t, err)
	status, _ := read(t, resp)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 0, p.Wait())
}

// The stream passes through metrics, traces and the log of calls.
func TestBooking_StreamsChangesUntilItDrains(t *testing.T) {
	t.Parallel()
	traces := httptest.NewServer(&otlp{})
	defer traces.Close()
	p := processtest.Start(t, "METRICS_PORT="+redistest.FreePort(t), "OTEL_EXPORTER_OTLP_ENDPOINT="+traces.URL, "LOG_LEVEL=debug")
	p.Await(t, "/readyz", http.StatusOK)
	resp, err := http.Get(p.URL + "/changes")
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	require.True(t, lines.Scan())
	post(t, p.URL+"/reserve", ann1A)
	for lines.Scan() && lines.Text() != "event: held" {
	}
	require.Equal(t, "event: held", lines.Text())
	p.Signal(t, syscall.SIGTERM)
	for lines.Scan() {
	}
	require.Equal(t, 0, p.Wait())
}

// It measures from the start of the process, with the embedded Redis, until it is ready.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		p := processtest.Start(b)
		p.Await(b, "/readyz", http.StatusOK)
		p.Signal(b, syscall.SIGKILL)
		p.Wait()
	}
}
