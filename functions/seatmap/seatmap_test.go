package seatmap_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/functions/seatmap"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

type testBundle struct {
	redis   *redistest.Redis
	locker  *seatlock.Locker
	handler http.Handler
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	r := redistest.Mini(t)
	r.Mini.SetTime(time.UnixMilli(1_700_000_000_000))
	locker, err := seatlock.New(r.Client(t), seatlock.Options{HoldTime: time.Minute, Timeout: time.Minute})
	require.NoError(t, err)
	return &testBundle{redis: r, locker: locker, handler: seatmap.New(catalog.New(locker, catalog.Options{}), hall.New(locker))}
}

func (b *testBundle) reserve(t *testing.T, seats ...string) {
	t.Helper()
	_, err := b.locker.Reserve(t.Context(), "gala", seats, "ann")
	require.NoError(t, err)
}

func (b *testBundle) buy(t *testing.T, seats ...string) {
	t.Helper()
	b.reserve(t, seats...)
	require.NoError(t, b.locker.Buy(t.Context(), "gala", seats, "ann"))
}

func (b *testBundle) get(header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodGet, "/seats?event_id=gala", nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, req)
	return rec
}

func TestSeatmap_ListsSeatsThatAreNotAvailable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.buy(t, "1B")
	b.reserve(t, "1A")
	found, err := b.locker.Map(t.Context(), "gala")
	require.NoError(t, err)
	rec := b.get()
	require.Equal(t, http.StatusOK, rec.Code)
	require.JSONEq(t, `{"event_id":"gala","as_of":"2023-11-14T22:13:20.000Z","last_event_id":"`+found.Change+`","seats":[
		{"seat_id":"1A","status":"Reserved","expires_in_ms":60000},{"seat_id":"1B","status":"Sold"}]}`, rec.Body.String())
	age, err := strconv.Atoi(rec.Header().Get("Age-Ms"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, age, 0)
	require.JSONEq(t, `{"event_id":"empty","as_of":"2023-11-14T22:13:20.000Z","last_event_id":"0-0","seats":[]}`, func() string {
		rec := httptest.NewRecorder()
		b.handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/seats?event_id=empty", nil))
		return rec.Body.String()
	}())
}

func TestSeatmap_AnswersNotModifiedIfNothingChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.reserve(t, "1A")
	for _, change := range []func(){
		func() { b.buy(t, "1B") },
		func() { b.redis.Advance(t, 2*time.Minute) },
		func() { b.reserve(t, "1A") },
		func() { require.NoError(t, b.locker.Release(t.Context(), "gala", []string{"1A"}, "ann")) },
		func() { require.NoError(t, b.redis.Admin(t).FlushAll(t.Context()).Err()) },
	} {
		tag := b.get().Header().Get("ETag")
		require.NotEmpty(t, tag)
		rec := b.get("If-None-Match", `W/"other", `+tag)
		require.Equal(t, http.StatusNotModified, rec.Code)
		require.Zero(t, rec.Body.Len())
		change()
		require.Eventually(t, func() bool { // a response may be 250 ms old
			return b.get("If-None-Match", tag).Code == http.StatusOK
		}, redistest.WaitLimit, time.Millisecond)
	}
}

func TestSeatmap_CompressesForClientsThatAcceptIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 100 {
		b.reserve(t, strconv.Itoa(i))
	}
	for _, refusal := range []string{"", "br", "gzip;q=0"} {
		require.Empty(t, b.get("Accept-Encoding", refusal).Header().Get("Content-Encoding"))
	}
	rec := b.get("Accept-Encoding", "br, gzip")
	require.Equal(t, "gzip", rec.Header().Get("Content-Encoding"))
	plain, err := gzip.NewReader(rec.Body)
	require.NoError(t, err)
	body, err := io.ReadAll(plain)
	require.NoError(t, err)
	require.True(t, json.Valid(body))
	require.Equal(t, b.get().Body.String(), string(body))
}
