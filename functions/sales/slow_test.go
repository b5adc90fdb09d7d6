package sales_test

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/functions/internal/httpserver"
	"booking/functions/internal/httpserver/httpservertest"
	"booking/functions/sales"
	"booking/seatlock"
)

const (
	soldSeats = 100_000
	page      = 500
)

// soldOut is an event in which soldSeats seats are sold. It counts the seats that are read.
type soldOut struct {
	hall.View
	read atomic.Int64
}

func (s *soldOut) NewView(string) (hall.View, error) { return s, nil }
func (s *soldOut) Subscribe() hall.Subscription      { return nil }
func (s *soldOut) Position() string                  { return "7-7" }
func (s *soldOut) Len() int                          { return soldSeats }

func (s *soldOut) Refresh(context.Context) (seatlock.Update, error) {
	return seatlock.Update{NextExpiry: -1}, nil
}

func (s *soldOut) Seats() iter.Seq[seatlock.Seat] {
	return func(yield func(seatlock.Seat) bool) {
		for i := range soldSeats {
			if !yield(seatlock.Seat{ID: seatID(i), Status: seatlock.Sold}) {
				return
			}
		}
	}
}

func (s *soldOut) Holdings(_ context.Context, _ string, seats []string) (holdings []seatlock.Holding, err error) {
	s.read.Add(int64(len(seats)))
	for _, id := range seats {
		holdings = append(holdings, seatlock.Holding{Seat: seatlock.Seat{ID: id, Status: seatlock.Sold}, User: "ann", Order: "o:1", SoldAt: time.UnixMilli(1_700_000_000_000)})
	}
	return holdings, nil
}

// run runs test with a server whose responses must be read within 22 s.
func run(t *testing.T, test func(t *testing.T, s *httpservertest.Server, all *soldOut)) {
	t.Helper()
	all := &soldOut{}
	httpservertest.Run(t, func() (http.Handler, httpserver.Options) {
		return sales.New(all, catalog.New(nil, catalog.Options{}), hall.NewFrom(all)), httpserver.Options{RequestTimeout: 2 * time.Second}
	}, func(t *testing.T, s *httpservertest.Server) { test(t, s, all) })
}

func get(t *testing.T, s *httpservertest.Server) (*httpservertest.Client, *http.Response) {
	t.Helper()
	c := s.Dial(t)
	c.Send("GET /sales HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(c.Responses, &http.Request{Method: http.MethodGet})
	require.NoError(t, err)
	return c, resp
}

// The connection is a pipe without a buffer. So the server has read no further than the page that
// the client reads.
func TestSales_AreReadAsFastAsTheClientReads(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, s *httpservertest.Server, all *soldOut) {
		c, resp := get(t, s)
		in := json.NewDecoder(resp.Body)
		for i := range soldSeats {
			var line struct {
				SeatID string `json:"seat_id"`
			}
			require.NoError(t, in.Decode(&line))
			require.Equal(t, seatID(i), line.SeatID)
			if i%page == 0 {
				time.Sleep(time.Second) // 200 s in all
				synctest.Wait()
				require.LessOrEqual(t, all.read.Load(), int64(i+page))
			}
		}
		var end map[string]any
		require.NoError(t, in.Decode(&end))
		require.Equal(t, map[string]any{"end": true, "sales": float64(soldSeats), "last_event_id": "7-7"}, end)
		require.ErrorIs(t, in.Decode(&end), io.EOF)

		c.Send("GET /sales?format=xml HTTP/1.1\r\nHost: x\r\n\r\n") // the connection still serves
		next, _ := c.Response(t, http.MethodGet)
		require.Equal(t, http.StatusUnprocessableEntity, next.StatusCode)
	})
}

func TestSales_AreCutOffIfTheClientDoesNotRead(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, s *httpservertest.Server, all *soldOut) {
		_, resp := get(t, s)
		time.Sleep(10*time.Second + time.Millisecond)
		_, err := io.Copy(io.Discard, resp.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.LessOrEqual(t, all.read.Load(), int64(page))
	})
}
