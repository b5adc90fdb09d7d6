package release_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/release"
	"booking/seatlock"
)

type locker struct{ err error }

func (l locker) ReleaseOn(context.Context, string, []string, string, seatlock.Terms) error {
	return l.err
}

func TestRelease_AnswersWithTheReleaseOrTheConflict(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		status int
		want   string
	}{
		"Released": {nil, http.StatusOK, `{"status":"released","event_id":"default","seat_ids":["1A"],"user_id":"ann"}`},
		"Sold": {&seatlock.ConflictError{Err: seatlock.ErrSold, Seats: []seatlock.Seat{{ID: "1A", Status: seatlock.Sold}}}, http.StatusConflict,
			`{"type":"about:blank","title":"Conflict","status":409,"code":"seat_sold","detail":"1A is sold. Sold seats can't be released, nor sold under another order. Nothing has changed.",
			"conflicts":[{"seat_id":"1A","status":"Sold"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequest(http.MethodPost, "/release", strings.NewReader(`{"seat_id":"1A","user_id":"ann"}`))
			req.Header.Set("Content-Type", "application/json")
			rec := httptest.NewRecorder()
			release.New(locker{test.err}, catalog.New(nil, catalog.Options{}), api.Rules{MaxSeats: 10}).ServeHTTP(rec, req)
			require.Equal(t, test.status, rec.Code)
			require.JSONEq(t, test.want, rec.Body.String())
		})
	}
}
