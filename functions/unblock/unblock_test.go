package unblock_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/catalog"
	"booking/functions/unblock"
	"booking/seatlock"
)

type locker func(event string, seats []string, channel string) error

func (f locker) Unblock(_ context.Context, event string, seats []string, channel string, _ seatlock.Terms) error {
	return f(event, seats, channel)
}

func TestUnblock_AnswersWithTheSeatsOrTheConflicts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		status int
		want   string
	}{
		"Unblocked": {nil, http.StatusOK, `"status":"unblocked","event_id":"gala","seat_ids":["1A"],"channel":"house"`},
		"Conflict":  {&seatlock.ConflictError{Err: seatlock.ErrTaken, Seats: []seatlock.Seat{{ID: "1A", Status: seatlock.Sold}}}, http.StatusConflict, `"conflicts":[{"seat_id":"1A","status":"Sold"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler := unblock.New(locker(func(event string, seats []string, channel string) error {
				require.Equal(t, []string{"gala", "1A", "house"}, append([]string{event}, append(seats, channel)...))
				return test.err
			}), catalog.New(nil, catalog.Options{}))
			req := httptest.NewRequest(http.MethodPost, "/unblock", strings.NewReader(`{"event_id":"gala","seat_id":"1A","channel":"house"}`))
			req.Header.Set("Content-Type", "application/json")
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, req)
			require.Equal(t, test.status, rec.Code)
			require.Contains(t, rec.Body.String(), test.want)
		})
	}
}
