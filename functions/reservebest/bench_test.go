package reservebest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/functions/internal/plan"
	"booking/functions/reservebest"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

// Calls at the same time hold pairs of seats in a hall of 20,000, and release them.
func BenchmarkReserveBest(b *testing.B) {
	r := redistest.Server(b)
	locker, err := seatlock.New(r.Client(b), seatlock.Options{Timeout: time.Minute})
	require.NoError(b, err)
	p, err := plan.ParseShort("R{1-400}-{1-50}")
	require.NoError(b, err)
	handler := reservebest.New(locker, catalog.New(locker, catalog.Options{Unlisted: p}), hall.New(locker), api.Rules{MaxSeats: 10}, reservebest.Options{Timeout: time.Minute})
	var calls atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req := httptest.NewRequest(http.MethodPost, "/reserve-best", strings.NewReader(`{"quantity":2,"user_id":"ann"}`))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Idempotency-Key", fmt.Sprint(calls.Add(1)))
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, req)
			if rec.Code != http.StatusOK {
				b.Error(rec.Body.String())
			}
			_, seats, _ := strings.Cut(rec.Body.String(), `"seat_ids":["`)
			seats, _, _ = strings.Cut(seats, `"]`)
			if err := locker.Release(b.Context(), seatlock.DefaultEvent, strings.Split(seats, `","`), "ann"); err != nil {
				b.Error(err)
			}
		}
	})
}
