package functions_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/readiness"
	"booking/seatlock"
)

// instantLocker answers at once. Each seat is free, except the one named taken.
type instantLocker struct{ functions.Locker }

func (instantLocker) ReserveOn(_ context.Context, _ string, seats []string, _ string, _ seatlock.Terms) (seatlock.Hold, error) {
	if seats[0] == "taken" {
		return seatlock.Hold{}, &seatlock.ConflictError{Err: seatlock.ErrTaken,
			Seats: []seatlock.Seat{{ID: "taken", Status: seatlock.Reserved, ExpiresIn: time.Minute}}}
	}
	return seatlock.Hold{Deadline: time.UnixMilli(1_700_000_000_000).UTC(), ExpiresIn: 5 * time.Minute}, nil
}

func (instantLocker) StatusOn(_ context.Context, _, seat string, _ seatlock.Terms) (seatlock.Seat, error) {
	return seatlock.Seat{ID: seat, Status: seatlock.Reserved, ExpiresIn: time.Minute}, nil
}

// discard is a ResponseWriter that keeps only the status.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// sentBody is a body that a benchmark sends many times.
type sentBody struct{ bytes.Reader }

func (*sentBody) Close() error { return nil }

// BenchmarkHandler measures the functions without a network and without Redis.
func BenchmarkHandler(b *testing.B) {
	handler, err := functions.Handler("", functions.Deps{Locker: instantLocker{}, Catalog: catalog.New(instantLocker{}, catalog.Options{}), Rules: api.Rules{MaxSeats: 10}}, readiness.New(nil))
	require.NoError(b, err)
	for _, call := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"ReserveWon", http.MethodPost, "/reserve", `{"seat_id":"1A","user_id":"user_123"}`, http.StatusOK},
		{"ReserveLost", http.MethodPost, "/reserve", `{"seat_id":"taken","user_id":"user_123"}`, http.StatusConflict},
		{"Status", http.MethodGet, "/seats/1A", "", http.StatusOK},
	} {
		b.Run(call.name, func(b *testing.B) {
			body, text := &sentBody{}, []byte(call.body)
			r := httptest.NewRequest(call.method, call.path, nil)
			r.Header.Set("Content-Type", "application/json")
			r.ContentLength = int64(len(text))
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				body.Reset(text)
				r.Body = body
				clear(w.header)
				handler.ServeHTTP(w, r)
			}
			require.Equal(b, call.status, w.status)
		})
	}
}
