package exchange_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/exchange"
	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/seatlock"
)

type locker func(seats, to []string, user, order string) error

func (f locker) Exchange(_ context.Context, _ string, seats, to []string, user string, terms seatlock.Terms) error {
	return f(seats, to, user, terms.Order)
}

func post(t *testing.T, locker exchange.Locker, body string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/exchange", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	exchange.New(locker, catalog.New(nil, catalog.Options{}), api.Rules{MaxSeats: 10}).ServeHTTP(rec, req)
	return rec
}

func TestExchange_AnswersWithTheNewSeatsOrTheConflicts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		status int
		want   string
	}{
		"Exchanged": {nil, http.StatusOK, `{"status":"sold","event_id":"default","seat_ids":["2A","2B"],"user_id":"ann","order_id":"o:1"}`},
		"NotSold": {&seatlock.ConflictError{Err: seatlock.ErrNotReturnable, Seats: []seatlock.Seat{{ID: "1A", Status: seatlock.Available}}}, http.StatusConflict,
			`{"type":"about:blank","title":"Conflict","status":409,"code":"not_returnable","conflicts":[{"seat_id":"1A","status":"Available"}],
			"detail":"1A is not sold. Only seats that are sold to this user under this order can be returned or exchanged. Nothing has changed."}`},
		"Taken": {&seatlock.ConflictError{Err: seatlock.ErrTaken, Seats: []seatlock.Seat{{ID: "2A", Status: seatlock.Sold}}}, http.StatusConflict,
			`{"type":"about:blank","title":"Conflict","status":409,"code":"seat_unavailable","conflicts":[{"seat_id":"2A","status":"Sold"}],
			"detail":"2A is sold. Nothing has changed; choose other seats."}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := post(t, locker(func(seats, to []string, user, order string) error {
				require.Equal(t, []string{"1A", "1B"}, seats)
				require.Equal(t, []string{"2A", "2B", "ann", "o:1"}, append(to, user, order))
				return test.err
			}), `{"seat_ids":["1A","1B"],"to_seat_ids":["2A","2B"],"user_id":"ann","order_id":"o:1"}`)
			require.Equal(t, test.status, rec.Code)
			require.JSONEq(t, test.want, rec.Body.String())
		})
	}
}

func TestExchange_RejectsOtherSeats(t *testing.T) {
	t.Parallel()
	for body, detail := range map[string]string{
		`{"seat_ids":["1A"],"user_id":"ann"}`:                                "to_seat_ids must name as many seats as seat_ids: 1, not 0.",
		`{"seat_ids":["1A"],"to_seat_ids":["2A","2B"],"user_id":"ann"}`:      "to_seat_ids must name as many seats as seat_ids: 1, not 2.",
		`{"seat_ids":["1A","1B"],"to_seat_ids":["2A","1B"],"user_id":"ann"}`: "to_seat_ids[1] is 1B, which is one of the seats to give back; name other seats.",
		`{"seat_ids":["1A","1B"],"to_seat_ids":["2A","2A"],"user_id":"ann"}`: "to_seat_ids[1] names 2A a second time; name each seat once.",
		`{"seat_ids":["1A"],"to_seat_ids":["2 A"],"user_id":"ann"}`:          "to_seat_ids[0] " + api.IDForm + ".",
		`{"seat_ids":["1A"],"to_seat_ids":[],"user_id":"ann"}`:               "to_seat_ids must name 1 to 10 seats, not 0.",
		`{"seat_ids":["1A"],"to_seat_ids":"2A","user_id":"ann"}`:             "to_seat_ids must be an array of strings.",
		`{"seat_ids":["1A"],"toSeatIds":["2A"],"user_id":"ann"}`:             `"toSeatIds" is not a member of the request; write to_seat_ids.`,
	} {
		rec := post(t, nil, body)
		require.Equal(t, http.StatusUnprocessableEntity, rec.Code, body)
		require.Contains(t, rec.Body.String(), strings.ReplaceAll(detail, `"`, `\"`), body)
	}
}
