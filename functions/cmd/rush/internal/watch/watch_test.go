package watch

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/rush/internal/client"
	"booking/seatlock/redistest"
)

const (
	held = "id: 7-1\nevent: held\ndata: {\"seat_ids\":[\"1A\",\"1B\"],\"status\":\"Reserved\"}\n\n"
	free = "id: 7-2\nevent: released\ndata: {\"seat_ids\":[\"1B\"],\"status\":\"Available\"}\n\n"
	sold = "id: 7-3\nevent: sold\ndata: {\"seat_ids\":[\"1A\"],\"status\":\"Sold\"}\n\n"
)

// serve starts a service that writes to each stream what answer returns, and then keeps it
// open unless ends.
func serve(t *testing.T, answer func(stream int64, after string) (text string, ends bool)) string {
	t.Helper()
	var streams atomic.Int64
	closed := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ends := answer(streams.Add(1), r.Header.Get("Last-Event-ID"))
		_, _ = io.WriteString(w, "retry: 1000\n\n: still here\n\n"+text)
		_ = http.NewResponseController(w).Flush()
		if !ends {
			select {
			case <-r.Context().Done():
			case <-closed:
			}
		}
	}))
	t.Cleanup(func() {
		close(closed)
		s.Close()
	})
	return s.URL
}

// final is the seat map after held, free and sold.
func final() (client.Map, error) {
	return client.Map{Sold: []string{"1A"}, LastChange: "7-3"}, nil
}

func TestWatchers_JudgeEachStream(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		second string // what the second stream of three writes
		lost   int
	}{
		"complete":     {held + free + sold, 0},
		"lost":         {held + sold, 1},
		"twice":        {held + free + free + sold, 1},
		"wrong order":  {free + held + sold, 1},
		"cut short":    {held + free, 1},
		"reset":        {"id: 7-2\nevent: reset\ndata: {}\n\n" + held + free + sold, 1},
		"other change": {held + "id: 7-9\nevent: sold\ndata: {}\n\n" + sold, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, func(n int64, _ string) (string, bool) {
				if n == 2 {
					return c.second, false
				}
				return held + free + sold, false
			})
			w, err := Open(t.Context(), url, "gala", 1)
			require.NoError(t, err)
			defer w.Close()
			more, err := Open(t.Context(), url, "gala", 2)
			require.NoError(t, err)
			defer more.Close()
			w.all = append(w.all, more.all...)
			m, _ := final()
			require.Eventually(t, func() bool {
				result, complete := w.compare(m)
				return result.Lost == c.lost && complete == (c.lost == 0) && result.Streams == 3
			}, redistest.WaitLimit, time.Millisecond)
		})
	}
}

func TestWatchers_CompareTheReplayWithTheSeatMap(t *testing.T) {
	t.Parallel()
	w, err := Open(t.Context(), serve(t, func(int64, string) (string, bool) { return held + free + sold, false }), "gala", 1)
	require.NoError(t, err)
	defer w.Close()
	result, err := w.Result(t.Context(), final)
	require.NoError(t, err)
	require.Equal(t, Result{Streams: 1, Changes: 3}, result)
	for _, m := range []client.Map{
		{Held: []string{"1A"}, LastChange: "7-3"},
		{Sold: []string{"1A"}, Held: []string{"1B"}, LastChange: "7-3"},
		{LastChange: "7-3"},
	} {
		result, _ := w.compare(m)
		require.Equal(t, 1, result.Lost, m)
	}
}

func TestWatchers_ResumeAfterTheirLastChange(t *testing.T) {
	t.Parallel()
	w, err := Open(t.Context(), serve(t, func(_ int64, after string) (string, bool) {
		if after == "0" {
			return held + free, true
		}
		return sold, after != "7-2"
	}), "gala", 1)
	require.NoError(t, err)
	defer w.Close()
	result, err := w.Result(t.Context(), final)
	require.NoError(t, err)
	require.Equal(t, Result{Streams: 1, Changes: 3, Resumed: 1}, result)
}

func TestOpen_FailsIfAStreamIsRefused(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer s.Close()
	_, err := Open(t.Context(), s.URL, "gala", 3)
	require.ErrorContains(t, err, "of 3: GET /changes returns 503 Service Unavailable")
	require.Regexp(t, `^stream \d of 3`, fmt.Sprint(err))
}

func TestEquals_ComparesEachStatus(t *testing.T) {
	t.Parallel()
	m := client.Map{Held: []string{"1A"}, Sold: []string{"1B"}, Blocked: []string{"1C"}}
	require.True(t, equals(m, map[string]string{"1A": "Reserved", "1B": "Sold", "1C": "Blocked"}))
	require.False(t, equals(m, map[string]string{"1A": "Reserved", "1B": "Sold", "1C": "Reserved"}))
	require.False(t, equals(m, map[string]string{"1A": "Reserved", "1B": "Sold"}))
}
