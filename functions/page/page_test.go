package page_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"booking/functions/internal/catalog"
	"booking/functions/page"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

// pageBundle is a page whose catalog has the events that the test puts.
type pageBundle struct {
	locker *seatlock.Locker
	page   http.Handler
}

func setupPage(t *testing.T) *pageBundle {
	t.Helper()
	locker, err := seatlock.New(redistest.Mini(t).Client(t), seatlock.Options{})
	require.NoError(t, err)
	events := catalog.New(locker, catalog.Options{Listed: true})
	return &pageBundle{locker, page.New(events, page.Settings{Hold: true, MaxSeats: 10})}
}

// put puts an event with a plan, which is JSON, and areas.
func (b *pageBundle) put(t *testing.T, event, plan string, areas ...catalog.Area) {
	t.Helper()
	stored, err := catalog.Store([]byte(plan), areas)
	require.NoError(t, err)
	_, _, err = b.locker.PutEvent(t.Context(), event, seatlock.Put{Document: []byte(`{"title":"Gala"}`), Plan: stored})
	require.NoError(t, err)
}

// get asks for a path with headers, each a name and a value.
func (b *pageBundle) get(t *testing.T, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	rec, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	b.page.ServeHTTP(rec, r)
	return rec
}

// drawing returns the drawing of the event gala.
func (b *pageBundle) drawing(t *testing.T) (d page.Drawing) {
	t.Helper()
	rec := b.get(t, "/page/plan.json?event_id=gala")
	require.Equal(t, http.StatusOK, rec.Code)
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &d))
	return d
}

func TestPage_ServesFiles(t *testing.T) {
	t.Parallel()
	b := setupPage(t)
	b.put(t, "gala", `"1:A-B"`)
	for path, contentType := range map[string]string{
		"/":                                 "text/html; charset=utf-8",
		"/page/page.css":                    "text/css; charset=utf-8",
		"/page/page.js":                     "text/javascript; charset=utf-8",
		"/page/plan.json?event_id=gala":     "application/json",
		"/page/settings.json?event_id=gala": "application/json",
	} {
		rec := b.get(t, path)
		require.Equal(t, http.StatusOK, rec.Code, path)
		require.NotZero(t, rec.Body.Len(), path)
		h := rec.Header()
		require.Equal(t, contentType, h.Get("Content-Type"), path)
		require.Equal(t, "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "+
			"base-uri 'none'; form-action 'none'; frame-ancestors 'none'", h.Get("Content-Security-Policy"), path)

		compressed := b.get(t, path, "Accept-Encoding", "gzip")
		require.Equal(t, "gzip", compressed.Header().Get("Content-Encoding"), path)
		r, err := gzip.NewReader(compressed.Body)
		require.NoError(t, err)
		body, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, rec.Body.String(), string(body), path)

		again := b.get(t, path, "If-None-Match", h.Get("ETag"))
		require.Equal(t, http.StatusNotModified, again.Code, path)
		require.Zero(t, again.Body.Len(), path)
	}
	for _, path := range []string{"/page/plan.json", "/page/settings.json", "/page/nothing.js", "/page/page.go", "/page/."} {
		require.Equal(t, http.StatusNotFound, b.get(t, path).Code, path)
	}
}

// The page has nothing that its policy forbids, and it loads only files that exist. With its first
// request come fewer than 150 KB.
func TestPage_LoadsOnlyItsOwnFiles(t *testing.T) {
	t.Parallel()
	b := setupPage(t)
	html := b.get(t, "/").Body.String()
	require.NotRegexp(t, `<style|\sstyle=|\son[a-z]+=|javascript:|(?:src|href)="https?:`, html)
	require.NotRegexp(t, `<script(?:\s[^>]*)?>[^<]`, html)
	size := b.get(t, "/", "Accept-Encoding", "gzip").Body.Len()
	seen := map[string]bool{}
	var load func(path string)
	load = func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		rec := b.get(t, path)
		require.Equal(t, http.StatusOK, rec.Code, path)
		size += b.get(t, path, "Accept-Encoding", "gzip").Body.Len()
		for _, imported := range regexp.MustCompile(`from '\.(/[^']+)'`).FindAllStringSubmatch(rec.Body.String(), -1) {
			load("/page" + imported[1])
		}
	}
	for _, link := range regexp.MustCompile(`(?:src|href)="(/page/[^"]+)"`).FindAllStringSubmatch(html, -1) {
		load(link[1])
	}
	for _, file := range []string{"/page/page.css", "/page/page.js", "/page/seatmap.js", "/page/session.js", "/page/updates.js"} {
		require.True(t, seen[file], file)
	}
	require.Less(t, size, 150_000)
}

func TestPage_ServesSettings(t *testing.T) {
	t.Parallel()
	b := setupPage(t)
	b.put(t, "gala", `"1:A-B"`)
	require.JSONEq(t, `{"hold":true,"sell":false,"max_seats":10,"event":{"title":"Gala"}}`, b.get(t, "/page/settings.json?event_id=gala").Body.String())
	require.Equal(t, http.StatusNotFound, b.get(t, "/page/settings.json?event_id=ball").Code)
	require.Equal(t, http.StatusUnprocessableEntity, b.get(t, "/page/settings.json?event_id=%C3%A9").Code)

	unlisted := page.New(catalog.New(b.locker, catalog.Options{}), page.Settings{MaxSeats: 4})
	rec := httptest.NewRecorder()
	unlisted.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/page/settings.json?event_id=ball", nil))
	require.JSONEq(t, `{"hold":false,"sell":false,"max_seats":4}`, rec.Body.String())
}

func TestPage_MayBeFramedByTheShop(t *testing.T) {
	t.Parallel()
	b := setupPage(t)
	b.put(t, "gala", `"1:A-B"`)
	framed := page.New(catalog.New(b.locker, catalog.Options{}), page.Settings{FrameAncestors: []string{"https://a.example.com", "http://localhost:3000"},
		CheckoutURL: "https://a.example.com/pay?seats={seat_ids}"})
	rec := httptest.NewRecorder()
	framed.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/page/settings.json?event_id=gala", nil))
	require.Contains(t, rec.Header().Get("Content-Security-Policy"), "; frame-ancestors https://a.example.com http://localhost:3000")
	require.JSONEq(t, `{"hold":false,"sell":false,"max_seats":0,"checkout_url":"https://a.example.com/pay?seats={seat_ids}","event":{"title":"Gala"}}`, rec.Body.String())
}

func TestPage_DrawsTheNewPlanAtOnce(t *testing.T) {
	t.Parallel()
	b := setupPage(t)
	b.put(t, "gala", `"1:A-B"`)
	first := b.get(t, "/page/plan.json?event_id=gala")
	b.put(t, "gala", `"1:A-C"`)
	second := b.get(t, "/page/plan.json?event_id=gala", "If-None-Match", first.Header().Get("ETag"))
	require.Equal(t, http.StatusOK, second.Code)
	require.Equal(t, []string{"1A", "1B", "1C"}, b.drawing(t).Zones[0].Rows[0].IDs)
}

// countingCatalog counts the drawings that the page asks for.
type countingCatalog struct {
	*catalog.Catalog
	drawings atomic.Int64
}

func (c *countingCatalog) Drawing(ctx context.Context, event string) (catalog.Drawing, error) {
	c.drawings.Add(1)
	return c.Catalog.Drawing(ctx, event)
}

// A large plan takes much memory while it is drawn. The events without settings share a drawing, because
// anyone can name any number of them.
func TestPage_DrawsEachPlanOnce(t *testing.T) {
	t.Parallel()
	b := setupPage(t)
	b.put(t, "gala", `"1:A-B"`)
	counting := &countingCatalog{Catalog: catalog.New(b.locker, catalog.Options{})}
	b.page = page.New(counting, page.Settings{})
	ask := func(events ...string) {
		var calls sync.WaitGroup
		for _, event := range events {
			calls.Go(func() { assert.Equal(t, http.StatusOK, b.get(t, "/page/plan.json?event_id="+event).Code) })
		}
		calls.Wait()
	}
	ask("gala", "gala", "gala", "gala")
	require.EqualValues(t, 1, counting.drawings.Load())
	ask("a", "b", "c")
	ask("d")
	require.EqualValues(t, 2, counting.drawings.Load())
	b.put(t, "d", `"1:A-C"`)
	require.Contains(t, b.get(t, "/page/plan.json?event_id=d").Body.String(), "1C")
	ask("e", "d")
	require.EqualValues(t, 3, counting.drawings.Load())
}

func TestPage_DrawsFormat(t *testing.T) {
	t.Parallel()
	b := setupPage(t)
	b.put(t, "gala", `{"categories":[{"name":"Stalls","color":"#7f4a91"},{"name":"Box"}],"zones":[
		{"name":"Stalls","position":{"x":100,"y":50},"rows":[{"row_number":"A","position":{"x":0,"y":0},"seats":[
			{"seat_guid":"A1","seat_number":"1","category":"Stalls","position":{"x":0,"y":0}},
			{"seat_guid":"A2","seat_number":"2","category":"Box","position":{"x":25,"y":1.17}},
			{"seat_guid":"A3","seat_number":"3","category":"","position":{"x":50,"y":0}}]}],
		 "areas":[{"shape":"rectangle","position":{"x":-20,"y":-40},"color":"#ddd","rectangle":{"width":90,"height":20},"text":{"text":"Stage","position":{"x":45,"y":10},"size":18}}]}]}`,
		catalog.Area{AreaID: "floor", Capacity: 500, Category: "Floor"})
	require.JSONEq(t, `{"size":[186,138],
		"categories":[{"name":"Stalls","color":"#7f4a91"},{"name":"Box","color":"#d9822b"},{"name":"Floor","color":"#2f9e6e"}],
		"zones":[{"name":"Stalls","rows":[{"label":"A","ids":["A1","A2","A3"],"numbers":["1","2","3"],"categories":[0,1,-1],"x":[68,93,118],"y":[88,89.2,88]}]}],
		"shapes":[{"shape":"rectangle","x":48,"y":48,"width":90,"height":20,"color":"#ddd","text":"Stage","text_x":45,"text_y":10,"text_size":18}],
		"areas":[{"area_id":"floor","capacity":500,"category":2}]}`, b.get(t, "/page/plan.json?event_id=gala").Body.String())
}

func TestPage_DrawsTheatre(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../internal/plan/testdata/theatre.json")
	require.NoError(t, err)
	b := setupPage(t)
	b.put(t, "gala", string(raw))
	d := b.drawing(t)
	requireTidy(t, d)
	require.Len(t, d.Shapes, 9)
	require.Equal(t, []string{"Stalls", "First balcony", "Second balcony", "boxes"}, zoneNames(d))
}

// An event whose plan has only areas has no seats to draw.
func TestPage_DrawsAreasAlone(t *testing.T) {
	t.Parallel()
	b := setupPage(t)
	b.put(t, "gala", "", catalog.Area{AreaID: "floor", Capacity: 500})
	require.JSONEq(t, `{"size":[96,96],"categories":[],"zones":[],"shapes":[],"areas":[{"area_id":"floor","capacity":500,"category":-1}]}`,
		b.get(t, "/page/plan.json?event_id=gala").Body.String())
}

// An event that has every seat id is shown with an example of a hall.
func TestPage_DrawsExample(t *testing.T) {
	t.Parallel()
	b := setupPage(t)
	b.put(t, "gala", "")
	require.Len(t, b.drawing(t).Zones[0].Rows, 12)
}
