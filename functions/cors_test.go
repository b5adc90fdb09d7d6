package functions_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest"
)

const shop = "https://tickets.example.com"

// from sends a request as a script of the origin does. If method asks is not empty, it is
// a preflight for that.
func (b *testBundle) from(t *testing.T, origin, method, path, asks string) response {
	t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(`{"seat_id":"1A","user_id":"ann"}`))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", origin)
	if asks != "" {
		req.Header.Set("Access-Control-Request-Method", asks)
		req.Header.Set("Access-Control-Request-Headers", "authorization,content-type,idempotency-key,if-none-match,last-event-id")
	}
	return b.do(t, req)
}

func allowed(r response) string { return r.header.Get("Access-Control-Allow-Origin") }

func TestCORS_AllowsNoOtherOriginByDefault(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	require.Empty(t, allowed(b.from(t, shop, http.MethodPost, "/reserve", "")))
	require.Empty(t, allowed(b.from(t, shop, http.MethodGet, "/seats", "")))
	b.from(t, shop, http.MethodOptions, "/reserve", http.MethodPost).problem(t, 405, "method_not_allowed")
}

func TestCORS_AllowsConfiguredOrigins(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	b.deps.Origins = []string{shop, "http://localhost:3000"}
	b.serve(t, "")
	t.Run("CallsAndResponses", func(t *testing.T) {
		methods := map[string]string{"/seats": "GET", "/seats/1A": "GET"}
		for _, path := range mutations() {
			methods[path] = "POST"
		}
		for path, method := range methods {
			preflight := b.from(t, shop, http.MethodOptions, path, method)
			require.Equal(t, http.StatusNoContent, preflight.status, path)
			require.Equal(t, shop, allowed(preflight))
			require.Equal(t, method, preflight.header.Get("Access-Control-Allow-Methods"))
			require.Equal(t, "authorization,content-type,idempotency-key,if-none-match,last-event-id", preflight.header.Get("Access-Control-Allow-Headers"))
			require.Contains(t, preflight.header.Get("Vary"), "Origin")
			require.Empty(t, preflight.header.Get("Access-Control-Allow-Credentials"))

			got := b.from(t, shop, method, path, "")
			require.Equal(t, shop, allowed(got))
			require.Equal(t, "Age-Ms, Allow, Etag, Idempotent-Replayed, Retry-After, Www-Authenticate", got.header.Get("Access-Control-Expose-Headers"))
			require.Contains(t, strings.Join(got.header["Vary"], ","), "Origin")
		}
		require.Equal(t, []string{"Origin", "Accept-Encoding"}, b.from(t, shop, "GET", "/seats", "").header["Vary"])
	})
	t.Run("Refusals", func(t *testing.T) {
		identify(t, b)
		got := b.from(t, shop, http.MethodPost, "/reserve", "")
		got.problem(t, 401, "unauthenticated")
		require.Equal(t, shop, allowed(got))
		require.Equal(t, http.StatusNoContent, b.from(t, shop, http.MethodOptions, "/reserve", "POST").status, "a preflight has no token")
	})
	t.Run("NotOtherOrigins", func(t *testing.T) {
		for _, origin := range []string{"https://evil.example.com", shop + ".evil.example.com", "http://tickets.example.com", "null"} {
			require.Empty(t, allowed(b.from(t, origin, http.MethodOptions, "/reserve", "POST")), origin)
			got := b.from(t, origin, http.MethodGet, "/seats", "")
			require.Empty(t, allowed(got), origin)
			require.Contains(t, got.header["Vary"], "Origin")
		}
	})
	t.Run("NotOtherMethodsOrHeaders", func(t *testing.T) {
		require.Empty(t, allowed(b.from(t, shop, http.MethodOptions, "/reserve", "DELETE")))
		require.Empty(t, allowed(b.from(t, shop, http.MethodOptions, "/seats", "POST")))
		req := httptest.NewRequest(http.MethodOptions, "/reserve", nil)
		req.Header.Set("Origin", shop)
		req.Header.Set("Access-Control-Request-Method", "POST")
		req.Header.Set("Access-Control-Request-Headers", "x-other")
		require.Empty(t, allowed(b.do(t, req)))
	})
	t.Run("NotOtherPaths", func(t *testing.T) {
		b.from(t, shop, http.MethodOptions, "/nothing", "GET").problem(t, 404, "not_found")
		for _, path := range []string{"/", "/docs", "/openapi.json", "/healthz", "/readyz"} {
			b.from(t, shop, http.MethodOptions, path, "GET").problem(t, 405, "method_not_allowed")
		}
	})
}
