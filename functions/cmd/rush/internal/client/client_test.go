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

	"booking/functions/cmd/rush/internal/history"
	"booking/seatlock"
	"booking/seatlock/oracle"
)

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		code   string
		err    error
		want   oracle.Outcome
	}{
		{"Success", 200, "", nil, oracle.Done},
		{"ASuccessThatBreaksOff", 200, "", io.ErrUnexpectedEOF, oracle.Unknown},
		{"Taken", 409, "seat_unavailable", nil, oracle.Refused},
		{"Late", 400, "hold_expired", nil, oracle.Refused},
		{"AnothersHold", 400, "held_by_other", nil, oracle.Refused},
		{"Unreadable", 422, "invalid_request", nil, oracle.NotRun},
		{"RedisIsAway", 503, "unavailable", nil, oracle.NotRun},
		{"RedisWasLost", 503, "outcome_unknown", nil, oracle.Unknown},
		{"AGatewayGaveUp", 504, "", errors.New("no JSON"), oracle.Unknown},
		{"ADefect", 500, "internal", nil, oracle.Unknown},
		{"Redirected", 302, "", errors.New("no JSON"), oracle.NotRun},
		{"NobodyThere", 0, "", &net.OpError{Op: "dial", Err: io.EOF}, oracle.NotRun},
		{"CutOff", 0, "", &net.OpError{Op: "read", Err: io.EOF}, oracle.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, outcome(c.status, c.code, c.err))
		})
	}
}

func setup(t *testing.T, answer http.HandlerFunc) (*Client, *history.Log) {
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	log := history.New()
	return New(server.URL, "gala", 4, 0, log), log
}

func TestARefusalNamesItsConflicts(t *testing.T) {
	t.Parallel()
	c, log := setup(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"status":409,"code":"seat_unavailable","conflicts":[{"seat_id":"1A","status":"Reserved","expires_in_ms":250},{"seat_id":"1B","status":"Sold"}]}`)
	})
	call := c.Change(t.Context(), oracle.Reserve, []string{"1A", "1B"}, "ann", c.Now())
	require.Equal(t, oracle.Refused, call.Outcome)
	require.Equal(t, []seatlock.Seat{{ID: "1A", Status: seatlock.Reserved, ExpiresIn: 250 * time.Millisecond}, {ID: "1B", Status: seatlock.Sold}}, call.Conflicts)
	require.Len(t, log.Calls(), 1)
	require.Empty(t, c.Wrong())
}

func TestASuccessAboutSomethingElseIsAFinding(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"status":"sold","event_id":"gala","seat_ids":["1A"],"user_id":"ann"}`,
		`{"status":"sold","event_id":"gala","seat_ids":["1A","1B"],"user_id":"bob"}`,
		`{"status":"sold","event_id":"prom","seat_ids":["1A","1B"],"user_id":"ann"}`,
	} {
		c, _ := setup(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, body) })
		c.Change(t.Context(), oracle.Buy, []string{"1A", "1B"}, "ann", c.Now())
		require.Len(t, c.Wrong(), 1)
		require.Equal(t, AboutAsked, c.Wrong()[0].Promise)
	}
}

func TestTheSeatMap(t *testing.T) {
	t.Parallel()
	c, log := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != "/seats?event_id=gala" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, `{"event_id":"gala","seats":[{"seat_id":"1A","status":"Sold"},{"seat_id":"1B","status":"Reserved","expires_in_ms":9}]}`)
	})
	m, ok := c.Look(t.Context(), "ann", c.Now())
	require.True(t, ok)
	require.Equal(t, Map{Taken: map[string]bool{"1A": true, "1B": true}, Held: []string{"1B"}, Sold: []string{"1A"}}, m)
	require.Equal(t, history.Look, log.Calls()[0].Op)
}

// A request that waits for a connection is late, and its latency says so.
func TestRequestsWaitForAConnection(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-leave
		fmt.Fprint(w, `{}`)
	}))
	defer server.Close()
	log := history.New()
	c := New(server.URL, "gala", 1, 0, log)
	done := make(chan struct{}, 2)
	for range 2 {
		go func() {
			c.Change(context.Background(), oracle.Buy, []string{"1A"}, "ann", 0)
			done <- struct{}{}
		}()
	}
	<-entered
	close(leave)
	<-done
	<-done
	require.Len(t, entered, 1)
	require.GreaterOrEqual(t, log.Calls()[1].Sent, log.Calls()[0].Answered)
	require.Zero(t, log.Calls()[1].Due)
}

func TestNothingIsSentOnceTheStormIsOver(t *testing.T) {
	t.Parallel()
	c, log := setup(t, func(w http.ResponseWriter, r *http.Request) {})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.Empty(t, c.Change(over, oracle.Buy, []string{"1A"}, "ann", time.Hour).Op)
	_, ok := c.Look(over, "ann", time.Hour)
	require.False(t, ok)
	require.Empty(t, log.Calls())
}
