package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
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
		{"NotOnSale", 409, "not_on_sale", nil, oracle.Refused},
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
	call := c.Send(t.Context(), oracle.Call{Op: oracle.Reserve, Seats: []string{"1A", "1B"}, User: "ann"}, c.Now())
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
	call := c.Send(t.Context(), oracle.Call{Op: oracle.Reserve, Seats: []string{"1A", "1B"}, User: "ann"}, c.Now())
	require.Equal(t, []seatlock.Seat{{ID: "1B", Status: seatlock.Sold, OwnedByCaller: true}}, call.Conflicts)
}

func TestSend_NamesTheOrder(t *testing.T) {
	t.Parallel()
	c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/return" || string(body) != `{"event_id":"gala","seat_ids":["1A"],"user_id":"ann","order_id":"o:1"}` {
			http.Error(w, string(body), http.StatusTeapot)
			return
		}
		fmt.Fprint(w, `{"status":"returned","event_id":"gala","seat_ids":["1A"],"user_id":"ann","order_id":"o:1"}`)
	})
	require.Equal(t, oracle.Done, c.Send(t.Context(), oracle.Call{Op: oracle.Return, Seats: []string{"1A"}, User: "ann", Order: "o:1"}, c.Now()).Outcome)
	require.Empty(t, c.Mismatches())
	require.Equal(t, "o:1", c.Log.Calls()[0].Order)
}

func TestSend_NamesTheNewSeats(t *testing.T) {
	t.Parallel()
	c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/exchange" || string(body) != `{"event_id":"gala","seat_ids":["1A"],"user_id":"ann","order_id":"o:1","to_seat_ids":["1B"]}` {
			http.Error(w, string(body), http.StatusTeapot)
			return
		}
		fmt.Fprint(w, `{"status":"sold","event_id":"gala","seat_ids":["1B"],"user_id":"ann","order_id":"o:1"}`)
	})
	call := c.Send(t.Context(), oracle.Call{Op: oracle.Exchange, Seats: []string{"1A"}, To: []string{"1B"}, User: "ann", Order: "o:1"}, c.Now())
	require.Equal(t, oracle.Done, call.Outcome)
	require.Equal(t, []string{"1B"}, call.To)
	require.Empty(t, c.Mismatches())
}

func TestSend_RecordsSalesUnderAnotherOrder(t *testing.T) {
	t.Parallel()
	c := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"status":409,"code":"seat_sold","conflicts":[{"seat_id":"1A","status":"Sold"}]}`)
	})
	call := c.Send(t.Context(), oracle.Call{Op: oracle.Buy, Seats: []string{"1A"}, User: "ann", Order: "o:2"}, c.Now())
	require.Equal(t, oracle.Refused, call.Outcome)
	require.Equal(t, []seatlock.Seat{{ID: "1A", Status: seatlock.Sold, OwnedByCaller: true}}, call.Conflicts)
}

func TestSend_FindsAnswersToAnotherCall(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"status":"sold","event_id":"gala","seat_ids":["1A"],"user_id":"ann"}`,
		`{"status":"sold","event_id":"gala","seat_ids":["1A","1B"],"user_id":"bob"}`,
		`{"status":"sold","event_id":"prom","seat_ids":["1A","1B"],"user_id":"ann"}`,
		`{"status":"sold","event_id":"gala","seat_ids":["1A","1B"],"user_id":"ann","order_id":"o:1"}`,
	} {
		c := setup(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		c.Send(t.Context(), oracle.Call{Op: oracle.Buy, Seats: []string{"1A", "1B"}, User: "ann"}, c.Now())
		require.Len(t, c.Mismatches(), 1)
		require.Equal(t, AnswerMatches, c.Mismatches()[0].Promise)
	}
}

func TestSend_RecordsTheSaleWindow(t *testing.T) {
	t.Parallel()
	c := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"status":409,"code":"not_on_sale","on_sale_at":"2027-01-31T10:00:00Z"}`)
	})
	call := c.Send(t.Context(), oracle.Call{Op: oracle.Reserve, Seats: []string{"1A"}, User: "ann"}, c.Now())
	require.Equal(t, oracle.Refused, call.Outcome)
	require.True(t, call.NotOnSale)

	c = setup(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"event_id":"gala","seat_ids":["1A"],"user_id":"ann","expires_at":"2027-01-31T10:00:05.250Z","expires_in_ms":5000}`)
	})
	call = c.Send(t.Context(), oracle.Call{Op: oracle.Reserve, Seats: []string{"1A"}, User: "ann"}, c.Now())
	require.False(t, call.NotOnSale)
	require.Equal(t, "2027-01-31T10:00:05.25Z", call.Deadline.Format(time.RFC3339Nano))
	require.Equal(t, 5*time.Second, call.Hold)
}

func TestSend_NamesTheChannelOfABlock(t *testing.T) {
	t.Parallel()
	c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/block" || string(body) != `{"event_id":"gala","seat_ids":["1A"],"channel":"house"}` {
			http.Error(w, string(body), http.StatusTeapot)
			return
		}
		fmt.Fprint(w, `{"status":"blocked","event_id":"gala","seat_ids":["1A"],"channel":"house"}`)
	})
	require.Equal(t, oracle.Done, c.Send(t.Context(), oracle.Call{Op: oracle.Block, Seats: []string{"1A"}, User: "house"}, c.Now()).Outcome)
	require.Empty(t, c.Mismatches())
}

func TestClient_SendsTheTokenOfTheRole(t *testing.T) {
	t.Parallel()
	buyers := map[string]string{"ann": "anns"}
	for _, test := range []struct {
		tokens Tokens
		want   map[string]string // by user, op
	}{
		{Tokens{}, map[string]string{"ann reserve": "", "ann buy": "", "house block": ""}},
		{Tokens{Seller: "shop"}, map[string]string{"ann reserve": "", "ann extend": "", "ann release": "", "ann buy": "shop", "ann return": "shop", "house block": "shop", "house unblock": "shop"}},
		{Tokens{Seller: "shop", Buyers: buyers}, map[string]string{"ann reserve": "anns", "ann extend": "anns", "ann release": "anns", "ann buy": "shop", "auditor reserve": "shop"}},
	} {
		for call, want := range test.want {
			user, op, _ := strings.Cut(call, " ")
			c := setup(t, func(http.ResponseWriter, *http.Request) {})
			var got string
			c.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				got = r.Header.Get("Authorization")
				return nil, io.EOF
			})
			c.Tokens = test.tokens
			c.Send(t.Context(), oracle.Call{Op: oracle.Op(op), Seats: []string{"1A"}, User: user}, c.Now())
			if want != "" {
				want = "Bearer " + want
			}
			require.Equal(t, want, got, call)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestEvent_IsPutAndDeleted(t *testing.T) {
	t.Parallel()
	var got []string
	c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, strings.TrimSpace(fmt.Sprintln(r.Method, r.URL, r.Header.Get("Authorization"), r.Header.Get("If-Match")+r.Header.Get("If-None-Match"), string(body))))
		switch {
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"code":"event_has_holds"}`)
		case r.Header.Get("If-None-Match") != "":
			w.Header().Set("ETag", `"1"`)
			w.WriteHeader(http.StatusCreated)
		}
	})
	c.Tokens.Seller = "shop"
	e := Event{Plan: "1:A", HoldTTL: "5s"}
	etag, err := c.CreateEvent(t.Context(), e)
	require.NoError(t, err)
	e.OnSaleAt = time.UnixMilli(1_795_600_000_250).UTC()
	require.NoError(t, c.ReplaceEvent(t.Context(), e, etag))
	require.EqualError(t, c.DeleteEvent(t.Context()), "DELETE /events/gala returns 409 Conflict (event_has_holds)")
	require.Equal(t, []string{
		`PUT /events/gala Bearer shop * {"hold_ttl":"5s","plan":"1:A"}`,
		`PUT /events/gala Bearer shop "1" {"on_sale_at":"2026-11-25T09:46:40.25Z","hold_ttl":"5s","plan":"1:A"}`,
		`DELETE /events/gala?sales=discard Bearer shop`,
	}, got)
}

func TestSeatMap_SeparatesStates(t *testing.T) {
	t.Parallel()
	c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != "/seats?event_id=gala" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, `{"event_id":"gala","seats":[{"seat_id":"1A","status":"Sold"},{"seat_id":"1B","status":"Reserved","expires_in_ms":9},{"seat_id":"1C","status":"Blocked"}]}`)
	})
	m, ok := c.SeatMap(t.Context(), "ann", c.Now())
	require.True(t, ok)
	require.Equal(t, Map{Taken: map[string]bool{"1A": true, "1B": true, "1C": true}, Held: []string{"1B"}, Sold: []string{"1A"}, Blocked: []string{"1C"}}, m)
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
			c.Send(context.Background(), oracle.Call{Op: oracle.Buy, Seats: []string{"1A"}, User: "ann"}, 0)
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
	require.Empty(t, c.Send(ended, oracle.Call{Op: oracle.Buy, Seats: []string{"1A"}, User: "ann"}, time.Hour).Op)
	_, ok := c.SeatMap(ended, "ann", time.Hour)
	require.False(t, ok)
	require.Empty(t, c.Log.Calls())
}
