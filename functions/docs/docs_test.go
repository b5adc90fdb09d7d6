package docs_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/docs"
)

func get(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	docs.New().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	return rec
}

// The page works without the internet.
func TestDocs_LoadsOnlyItsOwnFiles(t *testing.T) {
	t.Parallel()
	page := get(t, "/docs")
	require.Equal(t, http.StatusOK, page.Code)
	require.Contains(t, page.Header().Get("Content-Security-Policy"), "script-src 'self'")
	links := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1)
	require.NotEmpty(t, links)
	for _, link := range links {
		rec := get(t, link[1])
		require.Equal(t, http.StatusOK, rec.Code, link[1])
		require.NotZero(t, rec.Body.Len(), link[1])
	}
	require.NotRegexp(t, `https?://`, page.Body.String())
}

func TestDocs_SetsContentTypes(t *testing.T) {
	t.Parallel()
	for path, contentType := range map[string]string{
		"/openapi.json":        "application/json",
		"/docs/start.js":       "text/javascript; charset=utf-8",
		"/docs/swagger-ui.css": "text/css; charset=utf-8",
	} {
		require.Equal(t, contentType, get(t, path).Header().Get("Content-Type"))
	}
}

func TestDocs_RejectsUnknownFile(t *testing.T) {
	t.Parallel()
	require.Equal(t, http.StatusNotFound, get(t, "/docs/nothing.js").Code)
}
