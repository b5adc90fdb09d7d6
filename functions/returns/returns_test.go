package returns_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/returns"
	"booking/seatlock"
)

type locker func(event string, seats []string, user, order string) error

func (f locker) Return(_ context.Context, event string, seats []string, user string, terms seatlock.Terms) error {
	return f(event, seats, user, terms.Order)
}

func TestReturn_AnswersWithTheReturnOrTheConflicts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		status int
		want   string
	}{
		"Returned": {nil, http.StatusOK, `{"status":"returned","event_id":"gala","seat_ids":["1A"],"user_id":"ann","order_id":"o:1"}`},
		"NotReturnable": {&seatlock.ConflictError{Err: seatlock.ErrNotReturnable, Seats: []seatlock.Seat{{ID: "1A", Status: seatlock.Sold, OwnedByCaller: true}}}, http.StatusConflict,
			`{"type":"about:blank","title":"Conflict","status":409,"code":"not_returnable","conflicts":[{"seat_id":"1A","status":"Sold"}],
			"detail":"1A is sold under another order. Only seats that are sold to this user under this order can be returned or exchanged. Nothing has changed."}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler := returns.New(locker(func(event string, seats []string, user, order string) error {
				require.Equal(t, []string{"gala", "1A", "ann", "o:1"}, append([]string{event}, append(seats, user, order)...))
				return test.err
			}), catalog.New(nil, catalog.Options{}), api.Rules{MaxSeats: 10})
			req := httptest.NewRequest(http.MethodPost, "/return", strings.NewReader(`{"event_id":"gala","seat_id":"1A","user_id":"ann","order_id":"o:1"}`))
			req.Header.Set("Content-Type", "application/json")
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, req)
			require.Equal(t, test.status, rec.Code)
			require.JSONEq(t, test.want, rec.Body.String())
		})
	}
}
