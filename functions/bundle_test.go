package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/changes"
	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/functions/internal/plan"
	"booking/functions/internal/readiness"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.FileBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", openapi3filter.FileBodyDecoder)
	os.Exit(m.Run())
}

// testBundle serves the functions. It checks each response against the OpenAPI document.
type testBundle struct {
	deps       functions.Deps
	middleware []functions.Middleware
	handler    http.Handler
	monitor    *readiness.Monitor
	router     routers.Router
}

func setup(t *testing.T, r *redistest.Redis, target string) *testBundle {
	t.Helper()
	return setupClient(t, r.Client(t), target, seatlock.Options{Timeout: time.Minute})
}

func setupClient(t *testing.T, client *redis.Client, target string, opt seatlock.Options) *testBundle {
	t.Helper()
	locker, err := seatlock.New(client, opt)
	require.NoError(t, err)
	rules := api.Rules{MaxSeats: 10}
	seats, err := plan.ParseShort("1-12:A-Z,14-60:A-Z") // and no 13A
	require.NoError(t, err)
	b := &testBundle{monitor: readiness.New(locker.Ping)}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go b.monitor.Run(ctx)
	b.deps = functions.Deps{Locker: locker, Catalog: catalog.New(locker, catalog.Options{Unlisted: seats}), Halls: hall.New(locker), Rules: rules, Streams: changes.Options{Stop: b.monitor.DrainStarted()}}
	b.serve(t, target)

	source, err := os.ReadFile("docs/openapi.json")
	require.NoError(t, err)
	doc, err := openapi3.NewLoader().LoadFromData(source)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	b.router, err = legacy.NewRouter(doc)
	require.NoError(t, err)
	return b
}

// serve applies b.deps and b.middleware.
func (b *testBundle) serve(t *testing.T, target string) {
	t.Helper()
	handler, err := functions.Handler(target, b.deps, b.monitor, b.middleware...)
	require.NoError(t, err)
	b.handler = handler
}

// response is a recorded response.
type response struct {
	status int
	header http.Header
	body   string
}

// do sends a request. It checks the response, and a request that succeeds, against the
// document.
func (b *testBundle) do(t *testing.T, req *http.Request) response {
	t.Helper()
	var sent []byte
	if req.Body != nil {
		var err error
		sent, err = io.ReadAll(req.Body)
		require.NoError(t, err)
		req.Body = io.NopCloser(bytes.NewReader(sent))
	}
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, req)
	got := response{rec.Code, rec.Header(), rec.Body.String()}
	require.Equal(t, []string{"nosniff"}, got.header["X-Content-Type-Options"])
	require.Equal(t, []string{"no-referrer"}, got.header["Referrer-Policy"])
	require.Len(t, got.header["Content-Security-Policy"], 1)
	require.Regexp(t, `^default-src 'none'; .*frame-ancestors 'none'$`, got.header.Get("Content-Security-Policy"))
	for _, secret := range []string{"127.0.0.1", "evalsha", "goroutine", "ERR "} {
		require.NotContains(t, got.body, secret)
	}
	if route, params, err := b.router.FindRoute(req); err == nil {
		input := &openapi3filter.RequestValidationInput{Request: req, Route: route, PathParams: params,
			Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
		if got.status == http.StatusOK {
			req.Body = io.NopCloser(bytes.NewReader(sent))
			require.NoError(t, openapi3filter.ValidateRequest(t.Context(), input))
		}
		if req.Method != http.MethodHead {
			require.NoError(t, openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
				RequestValidationInput: input, Status: got.status, Header: got.header, Body: io.NopCloser(strings.NewReader(got.body)),
			}), "%d %s", got.status, got.body)
		}
	}
	return got
}

func (b *testBundle) get(t *testing.T, path string) response {
	t.Helper()
	return b.do(t, httptest.NewRequest(http.MethodGet, path, nil))
}

// put puts an event and requires success.
func (b *testBundle) put(t *testing.T, path, body string) response {
	t.Helper()
	req := httptest.NewRequest(http.MethodPut, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	got := b.do(t, req)
	require.Contains(t, []int{http.StatusOK, http.StatusCreated}, got.status, got.body)
	return got
}

func (b *testBundle) post(t *testing.T, path, body string) response {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	return b.do(t, req)
}

// problem asserts that r is the problem of status and code. It returns its members.
func (r response) problem(t *testing.T, status int, code string) map[string]any {
	t.Helper()
	require.Equal(t, status, r.status, r.body)
	require.Equal(t, "application/problem+json", r.header.Get("Content-Type"))
	var p map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &p))
	require.Equal(t, code, p["code"])
	require.EqualValues(t, status, p["status"])
	require.Equal(t, "about:blank", p["type"])
	require.Equal(t, http.StatusText(status), p["title"])
	require.Regexp(t, `\.$`, p["detail"])
	if status == http.StatusServiceUnavailable {
		require.NotEmpty(t, r.header.Get("Retry-After"))
	}
	return p
}

func (r response) success(t *testing.T) map[string]any {
	t.Helper()
	require.Equal(t, http.StatusOK, r.status, r.body)
	require.Equal(t, "application/json", r.header.Get("Content-Type"))
	require.Contains(t, []string{"no-store", "no-cache"}, r.header.Get("Cache-Control"))
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &members))
	return members
}

// conflicts returns the conflicts of a problem, each as seat and status.
func conflicts(t *testing.T, problem map[string]any) []string {
	t.Helper()
	var list []string
	for _, c := range problem["conflicts"].([]any) {
		seat := c.(map[string]any)
		_, timed := seat["expires_in_ms"]
		require.Equal(t, seat["status"] == "Reserved", timed)
		list = append(list, seat["seat_id"].(string)+" "+seat["status"].(string))
	}
	return list
}
