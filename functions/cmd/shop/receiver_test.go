package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

const sinkSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// sink is the address of a shop that crashes and starts again.
type sink struct {
	url      string
	receiver atomic.Pointer[Receiver]
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r := s.receiver.Load(); r != nil {
			r.ServeHTTP(w, req)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// watch lets a shop receive and watch, until stop or its crash.
func (s *sink) watch(t *testing.T, shop *Shop, report func(corrected []Order, unknown []string, err error)) (stop func()) {
	t.Helper()
	r, err := NewReceiver(shop, sinkSecret)
	require.NoError(t, err)
	s.receiver.Store(r)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		crashes(func() { r.Watch(ctx, report) })
	}()
	return func() { s.receiver.Store(nil); cancel(); <-ended }
}

// newChange returns a change of the event gala.
func newChange(t *testing.T, sequence, kind, order string, seats, to []string) cloudevent.Event {
	t.Helper()
	e := cloudevent.New()
	e.SetID(sequence)
	e.SetSource("/booking/events/gala")
	e.SetType("booking.seats." + kind)
	e.SetSubject("gala")
	e.SetExtension("sequence", sequence)
	require.NoError(t, e.SetData(cloudevent.ApplicationJSON, line{ID: sequence, Type: kind, SeatIDs: seats, ToSeatIDs: to, OrderID: order}))
	return e
}

// send sends a body to a receiver, signed with a secret, and returns the status.
func send(t *testing.T, r *Receiver, secret, contentType string, body any) int {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	webhook, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	now := time.Now()
	signature, err := webhook.Sign("1", now, text)
	require.NoError(t, err)
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(text)))
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Webhook-Id", "1")
	req.Header.Set("Webhook-Timestamp", fmt.Sprint(now.Unix()))
	req.Header.Set("Webhook-Signature", signature)
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, req)
	return rec.Code
}

// isSurprised reports whether a Receiver has a reason to reconcile, and takes it.
func isSurprised(r *Receiver) bool {
	select {
	case <-r.surprise:
		return true
	default:
		return false
	}
}

func TestReceiver_KnowsTheChangesOfTheShop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", "gala")
	r, err := NewReceiver(w.Shop, sinkSecret)
	require.NoError(t, err)
	orders := map[State]Order{}
	for _, state := range []State{Open, Authorized, Sold, Paid, Exchanging, Returning, Returned, Refunded, Unpaid, Refused, Canceled} {
		o := Order{ID: string(state), Seats: []string{"1A", "1B"}, To: []string{"2A", "2B"}, State: state}
		if state == Paid {
			o.Seats = o.To
		}
		orders[state] = o
		require.NoError(t, w.Orders.Put(&o))
	}
	n := 100
	surprises := func(kind, order string, seats, to []string) bool {
		n++
		require.Equal(t, http.StatusNoContent, send(t, r, sinkSecret, cloudevent.ApplicationCloudEventsJSON, newChange(t, fmt.Sprint(n), kind, order, seats, to)))
		return isSurprised(r)
	}
	for state, o := range orders {
		require.Equal(t, state != Authorized && state != Sold && state != Paid, surprises("sold", o.ID, o.Seats[:1], nil), state)
		require.True(t, surprises("sold", o.ID, []string{o.Seats[0], "9A"}, nil), state)
		require.Equal(t, slices.Contains([]State{Open, Authorized, Sold, Paid, Exchanging, Canceled}, state), surprises("returned", o.ID, o.Seats, nil), state)
		require.Equal(t, state != Exchanging && state != Paid, surprises("exchanged", o.ID, []string{"1A", "1B"}, o.To), state)
		require.True(t, surprises("exchanged", o.ID, []string{"1A", "1B"}, []string{"2A", "3B"}), state)
	}
	for _, kind := range []string{"sold", "returned", "exchanged"} {
		require.True(t, surprises(kind, "box-1", []string{"1A"}, nil), kind)
		require.True(t, surprises(kind, "", []string{"1A"}, nil), kind)
	}
	for _, kind := range []string{"held", "extended", "released", "expired", "blocked", "unblocked", "new"} {
		require.False(t, surprises(kind, "", []string{"1A"}, nil), kind)
	}
	require.True(t, surprises("reset", "", nil, nil))
}

func TestReceiver_ReadsBatchesAndIgnoresRepeats(t *testing.T) {
	t.Parallel()
	r, err := NewReceiver(newWorld(t, "", "gala").Shop, sinkSecret)
	require.NoError(t, err)
	batch := []cloudevent.Event{newChange(t, "5", "held", "", []string{"1A"}, nil), newChange(t, "6", "sold", "box-1", []string{"1A"}, nil)}
	for range 2 {
		require.Equal(t, http.StatusNoContent, send(t, r, sinkSecret, cloudevent.ApplicationCloudEventsBatchJSON, batch))
	}
	require.True(t, isSurprised(r))
	require.Equal(t, http.StatusNoContent, send(t, r, sinkSecret, cloudevent.ApplicationCloudEventsBatchJSON, batch))
	require.False(t, isSurprised(r))
	other := newChange(t, "7", "sold", "box-1", []string{"1A"}, nil)
	other.SetSubject("other")
	require.Equal(t, http.StatusNoContent, send(t, r, sinkSecret, cloudevent.ApplicationCloudEventsJSON, other))
	require.False(t, isSurprised(r), "another event")
}

func TestReceiver_RefusesWhatTheRelayDidNotSend(t *testing.T) {
	t.Parallel()
	r, err := NewReceiver(newWorld(t, "", "gala").Shop, sinkSecret)
	require.NoError(t, err)
	change := newChange(t, "1", "sold", "box-1", []string{"1A"}, nil)
	require.Equal(t, http.StatusUnauthorized, send(t, r, "whsec_AAAA9r8GKYqrTwjUPD8ILPZIo2LaLaSw", cloudevent.ApplicationCloudEventsJSON, change))
	require.Equal(t, http.StatusBadRequest, send(t, r, sinkSecret, "text/plain", change))
	require.Equal(t, http.StatusBadRequest, send(t, r, sinkSecret, cloudevent.ApplicationCloudEventsBatchJSON, change))
	require.Equal(t, http.StatusBadRequest, send(t, r, sinkSecret, cloudevent.ApplicationCloudEventsJSON, strings.Repeat("x", maxRequest)))
	require.NoError(t, change.SetData(cloudevent.ApplicationJSON, "text"))
	require.Equal(t, http.StatusBadRequest, send(t, r, sinkSecret, cloudevent.ApplicationCloudEventsJSON, change))
	require.False(t, isSurprised(r))
	_, err = NewReceiver(nil, "secret")
	require.Error(t, err)
}
