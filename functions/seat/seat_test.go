package seat_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/catalog"
	"booking/functions/seat"
	"booking/seatlock"
)

type locker map[string]seatlock.Seat

func (l locker) StatusOn(_ context.Context, event, id string, _ seatlock.Terms) (seatlock.Seat, error) {
	return l[event+"/"+id], nil
}

func TestSeat_ReturnsTheStateOfTheSeatInPathOrQuery(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	handler := seat.New(locker{
		"default/1A": {ID: "1A"},
		"default/1B": {ID: "1B", Status: seatlock.Reserved, ExpiresIn: 90 * time.Second},
		"gala/1A":    {ID: "1A", Status: seatlock.Sold},
	}, catalog.New(nil, catalog.Options{}))
	mux.Handle("/seats/{seat_id}", handler)
	mux.Handle("/{$}", handler)
	for target, want := range map[string]string{
		"/seats/1A":                   `{"seat_id":"1A","status":"Available"}`,
		"/seats/1B":                   `{"seat_id":"1B","status":"Reserved","expires_in_ms":90000}`,
		"/seats/1A?event_id=gala":     `{"seat_id":"1A","status":"Sold"}`,
		"/?seat_id=1B":                `{"seat_id":"1B","status":"Reserved","expires_in_ms":90000}`,
		"/?event_id=gala&seat_id=1A":  `{"seat_id":"1A","status":"Sold"}`,
		"/seats/1A?seat_id=1B&x=%20y": `{"seat_id":"1A","status":"Available"}`,
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			rec := httptest.NewRecorder()
			mux.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, target, nil))
			require.Equal(t, http.StatusOK, rec.Code)
			require.JSONEq(t, want, rec.Body.String())
		})
	}
}
