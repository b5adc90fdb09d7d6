package page_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/page"
	"booking/seatlock"
)

// rows are those of the event gala; another event is unknown.
func rows(_ context.Context, event string) ([]page.Row, error) {
	if event != "gala" {
		return nil, seatlock.ErrUnknownEvent
	}
	return []page.Row{{Label: "1", SeatIDs: []string{"1A", "1B"}}}, nil
}

func get(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	page.New(rows, page.Access{Hold: true}).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	return rec
}

func TestPage_ServesFiles(t *testing.T) {
	t.Parallel()
	for path, contentType := range map[string]string{
		"/":                             "text/html; charset=utf-8",
		"/page/page.css":                "text/css; charset=utf-8",
		"/page/page.js":                 "text/javascript; charset=utf-8",
		"/page/plan.json?event_id=gala": "application/json",
		"/page/access.json":             "application/json",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			rec := get(t, path)
			require.Equal(t, http.StatusOK, rec.Code)
			require.NotZero(t, rec.Body.Len())
			h := rec.Header()
			require.Equal(t, contentType, h.Get("Content-Type"))
			require.Equal(t, "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "+
				"base-uri 'none'; form-action 'none'; frame-ancestors 'none'", h.Get("Content-Security-Policy"))
		})
	}
	for _, path := range []string{"/page/plan.json", "/page/nothing.js", "/page/page.go", "/page/."} {
		require.Equal(t, http.StatusNotFound, get(t, path).Code, path)
	}
}

// The page has nothing that its policy forbids, and it loads only files that exist.
func TestPage_LoadsOnlyItsOwnFiles(t *testing.T) {
	t.Parallel()
	html := get(t, "/").Body.String()
	require.NotRegexp(t, `<style|\sstyle=|\son[a-z]+=|javascript:|(?:src|href)="https?:`, html)
	require.NotRegexp(t, `<script(?:\s[^>]*)?>[^<]`, html)
	links := regexp.MustCompile(`(?:src|href)="(/page/[^"]+)"`).FindAllStringSubmatch(html, -1)
	require.Len(t, links, 2)
	imports := regexp.MustCompile(`from '\.(/[^']+)'`).FindAllStringSubmatch(get(t, "/page/page.js").Body.String(), -1)
	require.Len(t, imports, 3)
	for _, imported := range imports {
		links = append(links, []string{"", "/page" + imported[1]})
	}
	for _, link := range links {
		require.Equal(t, http.StatusOK, get(t, link[1]).Code, link[1])
	}
}

func TestPage_ServesPlan(t *testing.T) {
	t.Parallel()
	body := get(t, "/page/plan.json?event_id=gala").Body.Bytes()
	require.JSONEq(t, `[{"label":"1","seat_ids":["1A","1B"]}]`, string(body))
	var rows []page.Row
	require.NoError(t, json.Unmarshal(body, &rows))
}

func TestPage_ServesAccess(t *testing.T) {
	t.Parallel()
	require.JSONEq(t, `{"hold":true,"sell":false}`, get(t, "/page/access.json").Body.String())
}
