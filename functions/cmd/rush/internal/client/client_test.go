package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/oracle"
)

func TestOutcome_IsWhatTheAnswerProves(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		code   string
		err    error
		want   oracle.Outcome
	}{
		{"Success", 200, "", nil, oracle.Done},
		{"SuccessCutOff", 200, "", io.ErrUnexpectedEOF, oracle.Unknown},
		{"SeatUnavailable", 409, "seat_unavailable", nil, oracle.Refused},
		{"AlreadyYours", 409, "already_yours", nil, oracle.Refused},
		{"HoldExpired", 400, "hold_expired", nil, oracle.Refused},
		{"HeldByOther", 400, "held_by_other", nil, oracle.Refused},
		{"InvalidRequest", 422, "invalid_request", nil, oracle.NotRun},
		{"Unavailable", 503, "unavailable", nil, oracle.NotRun},
		{"OutcomeUnknown", 503, "outcome_unknown", nil, oracle.Unknown},
		{"GatewayTimeout", 504, "", errors.New("no JSON"), oracle.Unknown},
		{"Internal", 500, "internal", nil, oracle.Unknown},
		{"Redirect", 302, "", errors.New("no JSON"), oracle.NotRun},
		{"NoConnection", 0, "", &net.OpError{Op: "dial", Err: io.EOF}, oracle.NotRun},
		{"ConnectionLost", 0, "", &net.OpError{Op: "read", Err: io.EOF}, oracle.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, outcome(c.status, c.code, c.err))
		})
	}
}

func setup(t *testing.T, handler http.HandlerFunc) *Client {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return New(server.URL, "gala", 4, 0)
}

func TestSend_RecordsConflicts(t *testing.T) {
	t.Parallel()
	c := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"status":409,"code":"seat_unavailable","conflicts":[{"seat_id":"1A","status":"Reserved","expires_in_ms":250},{"seat_id":"1B","status":"Sold"}]}`)
	})
	call := c.Send(t.Context(), oracle.Reserve, []string{"1A", "1B"}, "ann", c.Now())
	require.Equal(t, oracle.Refused, call.Outcome)
	require.Equal(t, []seatlock.Seat{{ID: "1A", Status: seatlock.Reserved, ExpiresIn: 250 * time.Millisecond}, {ID: "1B", Status: seatlock.Sold}}, call.Conflicts)
	require.Len(t, c.Log.Calls(), 1)
	require.Empty(t, c.Mismatches())
}

func TestSend_RecordsSalesToItsUser(t *testing.T) {
	t.Parallel()
	c := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"status":409,"code":"already_yours","conflicts":[{"seat_id":"1B","status":"Sold"}]}`)
	})
	call := c.Send(t.Context(), oracle.Reserve, []string{"1A", "1B"}, "ann", c.Now())
	require.Equal(t, []seatlock.Seat{{ID: "1B", Status: seatlock.Sold, OwnedByCaller: true}}, call.Conflicts)
}

func TestSend_FindsAnswersToAnotherCall(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"status":"sold","event_id":"gala","seat_ids":["1A"],"user_id":"ann"}`,
		`{"status":"sold","event_id":"gala","seat_ids":["1A","1B"],"user_id":"bob"}`,
		`{"status":"sold","event_id":"prom","seat_ids":["1A","1B"],"user_id":"ann"}`,
	} {
		c := setup(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		c.Send(t.Context(), oracle.Buy, []string{"1A", "1B"}, "ann", c.Now())
		require.Len(t, c.Mismatches(), 1)
		require.Equal(t, AnswerMatches, c.Mismatches()[0].Promise)
	}
}

func TestSeatMap_SeparatesHeldFromSold(t *testing.T) {
	t.Parallel()
	c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != "/seats?event_id=gala" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, `{"event_id":"gala","seats":[{"seat_id":"1A","status":"Sold"},{"seat_id":"1B","status":"Reserved","expires_in_ms":9}]}`)
	})
	m, ok := c.SeatMap(t.Context(), "ann", c.Now())
	require.True(t, ok)
	require.Equal(t, Map{Taken: map[string]bool{"1A": true, "1B": true}, Held: []string{"1B"}, Sold: []string{"1A"}}, m)
	require.Equal(t, SeatMap, c.Log.Calls()[0].Op)
}

// A call that waits for a connection is late, and its latency shows that.
func TestSend_WaitsForAConnection(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-leave
		fmt.Fprint(w, `{}`)
	}))
	defer server.Close()
	c := New(server.URL, "gala", 1, 0)
	done := make(chan struct{}, 2)
	for range 2 {
		go func() {
			c.Send(context.Background(), oracle.Buy, []string{"1A"}, "ann", 0)
			done <- struct{}{}
		}()
	}
	<-entered
	close(leave)
	<-done
	<-done
	require.Len(t, entered, 1)
	calls := c.Log.Calls()
	require.GreaterOrEqual(t, calls[1].Sent, calls[0].Answered)
	require.Zero(t, calls[1].Due)
}

func TestClient_SendsNothingAfterContextEnds(t *testing.T) {
	t.Parallel()
	c := setup(t, func(http.ResponseWriter, *http.Request) {})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Empty(t, c.Send(ended, oracle.Buy, []string{"1A"}, "ann", time.Hour).Op)
	_, ok := c.SeatMap(ended, "ann", time.Hour)
	require.False(t, ok)
	require.Empty(t, c.Log.Calls())
}
