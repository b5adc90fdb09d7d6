package reserve_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/reserve"
	"booking/seatlock"
)

type locker func(event string, seats []string, user string) (seatlock.Hold, error)

func (f locker) ReserveOn(_ context.Context, event string, seats []string, user string, _ seatlock.Terms) (seatlock.Hold, error) {
	return f(event, seats, user)
}

func call(handler http.Handler, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, "/reserve", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, req)
	return rec
}

func TestReserve_AnswersWithTheHoldOrTheConflicts(t *testing.T) {
	t.Parallel()
	t.Run("HoldsTheSeatsOfTheRequest", func(t *testing.T) {
		t.Parallel()
		handler := reserve.New(locker(func(event string, seats []string, user string) (seatlock.Hold, error) {
			require.Equal(t, "gala", event)
			require.Equal(t, []string{"1A", "1B"}, seats)
			require.Equal(t, "ann", user)
			return seatlock.Hold{Deadline: time.UnixMilli(1_700_000_000_000).UTC(), ExpiresIn: time.Minute}, nil
		}), catalog.New(nil, catalog.Options{}), api.Rules{MaxSeats: 10})
		rec := call(handler, `{"event_id":"gala","seat_ids":["1A","1B"],"user_id":"ann"}`)
		require.Equal(t, http.StatusOK, rec.Code)
		require.JSONEq(t, `{"status":"reserved","event_id":"gala","seat_ids":["1A","1B"],"user_id":"ann",
			"expires_at":"2023-11-14T22:13:20.000Z","expires_in_ms":60000}`, rec.Body.String())
	})
	t.Run("NamesTheConflicts", func(t *testing.T) {
		t.Parallel()
		handler := reserve.New(locker(func(string, []string, string) (seatlock.Hold, error) {
			return seatlock.Hold{}, &seatlock.ConflictError{Err: seatlock.ErrTaken, Seats: []seatlock.Seat{
				{ID: "1A", Status: seatlock.Reserved, ExpiresIn: time.Second}, {ID: "1B", Status: seatlock.Sold}}}
		}), catalog.New(nil, catalog.Options{}), api.Rules{MaxSeats: 10})
		rec := call(handler, `{"seat_ids":["1A","1B"],"user_id":"ann"}`)
		require.Equal(t, http.StatusConflict, rec.Code)
		require.JSONEq(t, `{"type":"about:blank","title":"Conflict","status":409,"code":"seat_unavailable",
			"detail":"1A is held by someone else, 1B is sold. Nothing has changed; choose other seats.",
			"conflicts":[{"seat_id":"1A","status":"Reserved","expires_in_ms":1000},{"seat_id":"1B","status":"Sold"}]}`, rec.Body.String())
	})
}
