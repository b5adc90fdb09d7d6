package relay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"booking/functions/internal/sink"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// sinkOptions are those of a sink at url.
func sinkOptions(t testing.TB, url string) sink.Options {
	t.Helper()
	key, err := sink.ParseSecret(secret)
	require.NoError(t, err)
	return sink.Options{URL: url, Secret: key}
}

// fault is what a receiver does with a request.
type fault int

const (
	noFault        fault = iota
	refuse               // answer 500 and ignore the request
	lose                 // receive it, and answer 500
	reset                // receive it, and cut the connection
	resetUnread          // cut the connection and ignore the request
	busy                 // answer 429 with Retry-After and ignore it
	hang                 // ignore it and never answer
	numberOfFaults = iota
)

// change is the data of an event.
type change struct {
	EventID   string   `json:"event_id"`
	ID        string   `json:"id"`
	Type      string   `json:"type"`
	SeatIDs   []string `json:"seat_ids"`
	UserID    string   `json:"user_id"`
	OrderID   string   `json:"order_id"`
	ExpiresAt string   `json:"expires_at"`
	ToSeatIDs []string `json:"to_seat_ids"`
}

// receiver is a shop: it knows the seats from the events alone.
type receiver struct {
	t      *testing.T
	url    string
	faults func(request int) fault // nil: none

	mu        sync.Mutex
	requests  int
	met       map[fault]int
	last      map[string]string              // the sequence of the last event, by event
	ids       map[string][]string            // of the events in the order of their first arrival, by event
	seats     map[string]map[string]string   // by event and seat: held, sold <user> <order>
	blocked   map[string]map[string]struct{} // by event and seat
	reloaded  map[string]string              // the sequence up to which a reload after a reset knows the changes, by event
	reload    reload                         // after a reset; nil: nothing is reloaded
	repeats   int
	resets    int
	onRequest func(request int) // called after each request, without the lock; nil: nothing is
}

// reload reads the seats of an event, and the last change that they have.
type reload func(event string) (seats map[string]string, last string, err error)

// newReceiver starts a receiver.
func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t, met: map[fault]int{}, last: map[string]string{}, ids: map[string][]string{}, reloaded: map[string]string{}, seats: map[string]map[string]string{}, blocked: map[string]map[string]struct{}{}}
	server := httptest.NewServer(r)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	r.url = server.URL
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the relay is gone
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err == nil {
		err = verifier.Verify(body, req.Header)
	}
	if err != nil {
		r.t.Errorf("signature: %v", err)
	}
	r.mu.Lock()
	request := r.requests
	r.requests++
	kind := noFault
	if r.faults != nil {
		kind = r.faults(request)
	}
	r.met[kind]++
	if (kind == noFault || kind == lose || kind == reset) && !r.receive(req) {
		kind = refuse
	}
	onRequest := r.onRequest
	r.mu.Unlock()
	if onRequest != nil {
		onRequest(request)
	}
	switch kind {
	case refuse, lose:
		w.WriteHeader(http.StatusInternalServerError)
	case reset, resetUnread:
		panic(http.ErrAbortHandler)
	case busy:
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
	case hang:
		<-req.Context().Done()
	}
}

// receive applies the events of a request. It reports false if one of them, a reset, can't be applied now.
func (r *receiver) receive(req *http.Request) bool {
	var events []cloudevent.Event
	var err error
	if cehttp.IsHTTPBatch(req.Header) {
		events, err = cehttp.NewEventsFromHTTPRequest(req)
	} else {
		var one *cloudevent.Event
		if one, err = cehttp.NewEventFromHTTPRequest(req); err == nil {
			events = append(events, *one)
		}
	}
	if err != nil {
		r.t.Errorf("events: %v", err)
	}
	for _, e := range events {
		if !r.apply(e) {
			return false
		}
	}
	return true
}

func (r *receiver) apply(e cloudevent.Event) bool {
	var c change
	if err := json.Unmarshal(e.Data(), &c); err != nil {
		r.t.Errorf("data: %v", err)
	}
	sequence, _ := e.Extensions()["sequence"].(string)
	if e.Subject() != c.EventID || e.Source() != "/booking/events/"+c.EventID || e.Extensions()["partitionkey"] != c.EventID || e.Type() != "booking.seats."+c.Type ||
		c.Type != "reset" && e.ID() != c.ID || e.Time().IsZero() || sequence == "" {
		r.t.Errorf("event %s of %+v", e, c)
	}
	if sequence <= r.last[c.EventID] {
		r.repeats++
		return true
	}
	if c.Type == "reset" && r.reload != nil {
		seats, last, err := r.reload(c.EventID)
		if err != nil {
			return false
		}
		r.seats[c.EventID], r.blocked[c.EventID], r.reloaded[c.EventID] = seats, map[string]struct{}{}, sequenceOf(last)
	}
	r.last[c.EventID] = sequence
	r.ids[c.EventID] = append(r.ids[c.EventID], c.ID)
	if c.Type == "reset" {
		r.resets++
		return true
	}
	if sequence <= r.reloaded[c.EventID] {
		return true
	}
	seats, blocked := r.seats[c.EventID], r.blocked[c.EventID]
	if seats == nil {
		seats, blocked = map[string]string{}, map[string]struct{}{}
		r.seats[c.EventID], r.blocked[c.EventID] = seats, blocked
	}
	for _, id := range c.ToSeatIDs {
		seats[id] = fmt.Sprintf("sold %s %s", c.UserID, c.OrderID)
	}
	for _, id := range c.SeatIDs {
		switch c.Type {
		case "held", "extended":
			seats[id] = "held"
		case "sold":
			seats[id] = fmt.Sprintf("sold %s %s", c.UserID, c.OrderID)
		case "released", "expired", "returned", "exchanged":
			delete(seats, id)
		case "blocked":
			blocked[id] = struct{}{}
		case "unblocked":
			delete(blocked, id)
		default:
			r.t.Errorf("unknown type %q", c.Type)
		}
	}
	return true
}

// sequenceOf returns the sequence of the change with an ID.
func sequenceOf(id string) string {
	epoch, offset, _ := strings.Cut(id, "-")
	return fmt.Sprintf("%020s-%020s", epoch, offset)
}

// received returns the IDs of an event that came, in order.
func (r *receiver) received(event string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.ids[event]...)
}

// table returns the seats of an event that are not Available: "blocked" if nothing else.
func (r *receiver) table(event string) map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	table := map[string]string{}
	for id := range r.blocked[event] {
		table[id] = "blocked"
	}
	maps.Copy(table, r.seats[event])
	return table
}

// setFaults sets the fault of each request; nil ends the faults.
func (r *receiver) setFaults(faults func(request int) fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = faults
}

// setOnRequest sets what is called after each request.
func (r *receiver) setOnRequest(call func(request int)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onRequest = call
}

// refused returns how many requests were refused.
func (r *receiver) refused() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.met[refuse]
}

// hasMetAll reports whether every fault has happened.
func (r *receiver) hasMetAll() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.met) == numberOfFaults
}
