package seatmap_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/seatmap"
	"booking/seatlock"
)

// locker counts its reads.
type locker struct {
	reads atomic.Int64
	seats atomic.Pointer[[]seatlock.Seat]
}

func newLocker(seats ...seatlock.Seat) *locker {
	l := &locker{}
	l.seats.Store(&seats)
	return l
}

func (l *locker) Map(ctx context.Context, _ string) (seatlock.SeatMap, error) {
	l.reads.Add(1)
	time.Sleep(10 * time.Millisecond) // of the bubble's clock: other readers arrive
	return seatlock.SeatMap{At: time.UnixMilli(1_700_000_000_000).UTC(), Change: "7-0", Seats: *l.seats.Load()}, ctx.Err()
}

func get(handler http.Handler, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodGet, "/seats?event_id=gala", nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, req)
	return rec
}

var (
	held = seatlock.Seat{ID: "1A", Status: seatlock.Reserved, ExpiresIn: time.Minute}
	sold = seatlock.Seat{ID: "1B", Status: seatlock.Sold}
)

func TestSeatmap_IsSharedCachedAndCompressed(t *testing.T) {
	t.Parallel()
	t.Run("ListsSeatsThatAreNotAvailable", func(t *testing.T) {
		t.Parallel()
		rec := get(seatmap.New(newLocker(held, sold)))
		require.Equal(t, http.StatusOK, rec.Code)
		require.JSONEq(t, `{"event_id":"gala","as_of":"2023-11-14T22:13:20.000Z","last_event_id":"7-0","seats":[
			{"seat_id":"1A","status":"Reserved","expires_in_ms":60000},{"seat_id":"1B","status":"Sold"}]}`, rec.Body.String())
	})
	t.Run("SharesOneReadForAQuarterOfASecond", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := newLocker(held)
			handler := seatmap.New(l)
			for range 100 {
				go get(handler)
			}
			time.Sleep(250 * time.Millisecond)
			require.Equal(t, "250", get(handler).Header().Get("Age-Ms"))
			require.EqualValues(t, 1, l.reads.Load())
			time.Sleep(time.Millisecond)
			require.Equal(t, "10", get(handler).Header().Get("Age-Ms"))
			require.EqualValues(t, 2, l.reads.Load())
			synctest.Wait()
		})
	})
	t.Run("ServesOtherReadersIfTheFirstLeaves", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			handler := seatmap.New(newLocker(held))
			ctx, leave := context.WithCancel(t.Context())
			go handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/seats?event_id=gala", nil))
			synctest.Wait()
			second := make(chan int)
			go func() { second <- get(handler).Code }()
			synctest.Wait()
			leave()
			require.Equal(t, http.StatusOK, <-second)
		})
	})
	t.Run("AnswersNotModifiedIfNothingChanged", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := newLocker(held, sold)
			handler := seatmap.New(l)
			tag := get(handler).Header().Get("ETag")
			require.NotEmpty(t, tag)
			time.Sleep(time.Second)
			rec := get(handler, "If-None-Match", `W/"other", `+tag)
			require.Equal(t, http.StatusNotModified, rec.Code)
			require.Zero(t, rec.Body.Len())

			later := held
			later.ExpiresIn += time.Second
			for _, seats := range [][]seatlock.Seat{{sold}, {later, sold}, {held}, {}} {
				l.seats.Store(&seats)
				time.Sleep(time.Second)
				require.Equal(t, http.StatusOK, get(handler, "If-None-Match", tag).Code, "%v", seats)
			}
		})
	})
	t.Run("CompressesForClientsThatAcceptIt", func(t *testing.T) {
		t.Parallel()
		var seats []seatlock.Seat
		for i := range 1000 {
			seats = append(seats, seatlock.Seat{ID: fmt.Sprint(i), Status: seatlock.Sold})
		}
		handler := seatmap.New(newLocker(seats...))
		for _, refusal := range []string{"", "br", "gzip;q=0"} {
			require.Empty(t, get(handler, "Accept-Encoding", refusal).Header().Get("Content-Encoding"))
		}
		rec := get(handler, "Accept-Encoding", "br, gzip")
		require.Equal(t, "gzip", rec.Header().Get("Content-Encoding"))
		plain, err := gzip.NewReader(rec.Body)
		require.NoError(t, err)
		body, err := io.ReadAll(plain)
		require.NoError(t, err)
		require.True(t, json.Valid(body))
		require.Equal(t, get(handler).Body.String(), string(body))
	})
}
