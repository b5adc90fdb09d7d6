package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/internal/processtest"
	"booking/seatlock/redistest"
)

// A PUT at one process holds for the very next call of another.
func TestBooking_PutHoldsForEveryProcessAtOnce(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	const secret = "0123456789abcdef0123456789abcdef"
	var urls []string
	for range 2 {
		p := processtest.Start(t, "REDIS_URL="+r.URL(), "SELLER_TOKEN="+secret, "UNLISTED_EVENTS=false")
		p.Await(t, "/readyz", http.StatusOK)
		urls = append(urls, p.URL)
	}
	call := func(method, url, body string) (status int, code string) {
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		if method != http.MethodPost {
			req.Header.Set("Authorization", "Bearer "+secret)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		var problem struct {
			Code string `json:"code"`
		}
		_ = json.Unmarshal(text, &problem) // a DELETE has no body
		return resp.StatusCode, problem.Code
	}
	put := func(body string) {
		t.Helper()
		status, code := call(http.MethodPut, urls[0]+"/events/gala", body)
		require.Less(t, status, 300, code)
	}
	reserve := func(seat string) (int, string) {
		return call(http.MethodPost, urls[1]+"/reserve", `{"event_id":"gala","seat_id":"`+seat+`","user_id":"ann"}`)
	}
	requireReserve := func(seat string, wantStatus int, wantCode string) {
		t.Helper()
		status, code := reserve(seat)
		require.Equal(t, wantStatus, status, code)
		require.Equal(t, wantCode, code)
	}
	requireReserve("1A", http.StatusNotFound, "unknown_event")
	for range 20 {
		put(`{"plan":"1-2:A-B"}`)
		requireReserve("3A", http.StatusNotFound, "unknown_seat")
		requireReserve("1A", http.StatusOK, "")
		put(`{"plan":"1-3:A-B"}`)
		requireReserve("3A", http.StatusOK, "")
		status, code := call(http.MethodGet, urls[1]+"/seats/3B?event_id=gala", "")
		require.Equal(t, http.StatusOK, status, code)
		for _, seat := range []string{"1A", "3A"} {
			status, code = call(http.MethodPost, urls[1]+"/release", `{"event_id":"gala","seat_id":"`+seat+`","user_id":"ann"}`)
			require.Equal(t, http.StatusOK, status, code)
		}
		put(`{"plan":"1-2:A-B","off_sale_at":"` + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339) + `"}`)
		status, code = call(http.MethodGet, urls[1]+"/seats/3B?event_id=gala", "")
		require.Equal(t, http.StatusNotFound, status, code)
		requireReserve("1A", http.StatusConflict, "not_on_sale")
	}
	status, code := call(http.MethodDelete, urls[0]+"/events/gala", "")
	require.Equal(t, http.StatusNoContent, status, code)
	requireReserve("1A", http.StatusNotFound, "unknown_event")
}
