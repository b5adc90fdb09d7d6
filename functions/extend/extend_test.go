package extend_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/extend"
	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/seatlock"
)

type locker seatlock.Hold

func (l locker) ExtendOn(context.Context, string, []string, string, seatlock.Terms) (seatlock.Hold, error) {
	return seatlock.Hold(l), nil
}

func TestExtend_AnswersWithTheHoldOrTheSale(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		hold seatlock.Hold
		want string
	}{
		"Held": {seatlock.Hold{Deadline: time.UnixMilli(1_700_000_000_000).UTC(), ExpiresIn: time.Minute},
			`{"status":"reserved","event_id":"gala","seat_ids":["1A"],"user_id":"ann","expires_at":"2023-11-14T22:13:20.000Z","expires_in_ms":60000}`},
		"AllSold": {seatlock.Hold{}, `{"status":"sold","event_id":"gala","seat_ids":["1A"],"user_id":"ann"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequest(http.MethodPost, "/extend", strings.NewReader(`{"event_id":"gala","seat_id":"1A","user_id":"ann"}`))
			req.Header.Set("Content-Type", "application/json")
			rec := httptest.NewRecorder()
			extend.New(locker(test.hold), catalog.New(nil, catalog.Options{}), api.Rules{MaxSeats: 10}).ServeHTTP(rec, req)
			require.Equal(t, http.StatusOK, rec.Code)
			require.JSONEq(t, test.want, rec.Body.String())
		})
	}
}
