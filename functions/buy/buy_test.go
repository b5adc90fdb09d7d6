package buy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/buy"
	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/seatlock"
)

type locker func(event string, seats []string, user string) error

func (f locker) BuyOn(_ context.Context, event string, seats []string, user string, _ seatlock.Terms) error {
	return f(event, seats, user)
}

func TestBuy_AnswersWithTheSaleOrTheError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		status int
		want   string
	}{
		"Sold":           {nil, http.StatusOK, `{"status":"sold","event_id":"gala","seat_ids":["1A"],"user_id":"ann"}`},
		"HoldExpired":    {&seatlock.ConflictError{Err: seatlock.ErrHoldExpired, Seats: []seatlock.Seat{{ID: "1A"}}}, http.StatusBadRequest, `"code":"hold_expired"`},
		"HeldByOther":    {&seatlock.ConflictError{Err: seatlock.ErrHeldByOther, Seats: []seatlock.Seat{{ID: "1A", Status: seatlock.Sold}}}, http.StatusBadRequest, `"code":"held_by_other"`},
		"OutcomeUnknown": {fmt.Errorf("buy: %w", seatlock.ErrOutcomeUnknown), http.StatusServiceUnavailable, `"code":"outcome_unknown"`},
		"Unavailable":    {fmt.Errorf("buy: %w", seatlock.ErrUnavailable), http.StatusServiceUnavailable, `"code":"unavailable"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler := buy.New(locker(func(event string, seats []string, user string) error {
				require.Equal(t, "gala", event)
				require.Equal(t, []string{"1A"}, seats)
				require.Equal(t, "ann", user)
				return test.err
			}), catalog.New(nil, catalog.Options{}), api.Rules{MaxSeats: 10})
			req := httptest.NewRequest(http.MethodPost, "/buy", strings.NewReader(`{"event_id":"gala","seat_id":"1A","user_id":"ann"}`))
			req.Header.Set("Content-Type", "application/json")
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, req)
			require.Equal(t, test.status, rec.Code)
			require.Contains(t, rec.Body.String(), test.want)
		})
	}
}
