package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// maxRequest is how many bytes a request of the relay may have. One change has far fewer.
const maxRequest = 1 << 20

// Receiver gets the changes of seats, so the shop need not ask every minute: its address
// is the SINK_URL of booking. It calls Reconcile after a change that no order explains: a person, or
// a call that arrived late, has changed a sale.
type Receiver struct {
	shop     *Shop
	webhook  *standardwebhooks.Webhook
	surprise chan struct{} // its capacity is 1

	mu   sync.Mutex
	last string // the greatest sequence
}

// NewReceiver returns the Receiver of a shop. secret is the SINK_SECRET of booking.
func NewReceiver(s *Shop, secret string) (*Receiver, error) {
	webhook, err := standardwebhooks.NewWebhook(secret)
	return &Receiver{shop: s, webhook: webhook, surprise: make(chan struct{}, 1)}, err
}

// Watch calls Reconcile now, and then after each surprise, until ctx ends. It gives the results to
// report. After an error it tries again.
func (r *Receiver) Watch(ctx context.Context, report func(corrected []Order, unknown []string, err error)) {
	r.look() // while the shop was down, anything may have happened
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.surprise:
		}
		corrected, unknown, err := r.shop.Reconcile(ctx)
		if err != nil {
			r.look()
			select {
			case <-ctx.Done():
				return
			case <-time.After(r.shop.Retry):
			}
		}
		report(corrected, unknown, err)
	}
}

// look makes Watch call Reconcile.
func (r *Receiver) look() {
	select {
	case r.surprise <- struct{}{}:
	default: // it is going to
	}
}

// ServeHTTP receives a request of the relay: one change, or a batch of them.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := r.webhook.Verify(body, req.Header); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	var events []cloudevent.Event
	if cehttp.IsHTTPBatch(req.Header) {
		events, err = cehttp.NewEventsFromHTTPRequest(req)
	} else {
		var e *cloudevent.Event
		if e, err = cehttp.NewEventFromHTTPRequest(req); err == nil {
			events = append(events, *e)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, e := range events {
		if err := r.receive(e); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// receive looks at a change, unless it is a repeat. A shop that keeps a table of seats changes it
// here, and stores the sequence in the same transaction.
func (r *Receiver) receive(e cloudevent.Event) error {
	var change line
	if err := json.Unmarshal(e.Data(), &change); err != nil {
		return err
	}
	sequence, _ := e.Extensions()["sequence"].(string)
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Subject() == r.shop.Booking.Event && sequence > r.last {
		r.last = sequence
		if !r.shop.explains(change) {
			r.look()
		}
	}
	return nil
}

// explains reports whether a change is none of a sale, or the shop itself made it.
func (s *Shop) explains(change line) bool {
	o := s.Orders.Get(change.OrderID)
	has := func(seats, all []string) bool {
		return !slices.ContainsFunc(seats, func(seat string) bool { return !slices.Contains(all, seat) })
	}
	switch change.Type {
	case "sold":
		return has(change.SeatIDs, o.Seats) && slices.Contains([]State{Authorized, Sold, Paid}, o.State)
	case "returned":
		return slices.Contains([]State{Returning, Returned, Refunded, Unpaid, Refused}, o.State)
	case "exchanged":
		return has(change.ToSeatIDs, o.To) && (o.State == Exchanging || o.State == Paid && has(o.To, o.Seats))
	case "reset": // changes were lost
		return false
	}
	return true
}
