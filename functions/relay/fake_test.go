package relay_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"booking/functions/internal/sink"
	"booking/functions/relay"
	"booking/seatlock"
)

// leaseTime is how long a lease of a fakeSource lasts.
const leaseTime = 13 * time.Second

// fakeSource is a Source in memory with one event, for tests with a fake clock.
type fakeSource struct {
	mu      sync.Mutex
	entries []seatlock.Entry
	trimmed int    // how many of them are lost
	cursor  string // "" for none
	owner   *fakeLease
	ends    time.Time
	version int64
	deleted bool
}

func newFakeSource() *fakeSource { return &fakeSource{version: 1} }

// add adds an entry of a seat.
func (s *fakeSource) add(seat string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := fmt.Sprintf("1700000000000000-%016d", 1700000000000000+len(s.entries))
	s.entries = append(s.entries, seatlock.Entry{ID: id, Time: time.Now(), Type: seatlock.ChangeSold, SeatIDs: []string{seat}, User: "ann"})
}

// set changes the source.
func (s *fakeSource) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *fakeSource) Events(_ context.Context, after string, _ int) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deleted || after != "" {
		return nil, nil
	}
	return []string{"gala"}, nil
}

func (s *fakeSource) Journal(_ context.Context, _, after string, limit int) ([]seatlock.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	start := 0
	if after != seatlock.NoChange {
		start = 1 + slices.IndexFunc(s.entries, func(e seatlock.Entry) bool { return e.ID == after })
	}
	if start < s.trimmed {
		return nil, seatlock.ErrReset
	}
	rest := s.entries[start:]
	return slices.Clone(rest[:min(limit, len(rest))]), nil
}

func (s *fakeSource) NewRelay(string, int) (relay.Lease, error) { return &fakeLease{source: s}, nil }
func (s *fakeSource) Subscribe() relay.Subscription             { return make(fakeSubscription) }

// fakeSubscription receives no event: what a Relay finds, it finds by itself.
type fakeSubscription chan string

func (s fakeSubscription) Add(context.Context, string) error    { return nil }
func (s fakeSubscription) Remove(context.Context, string) error { return nil }
func (s fakeSubscription) Events() <-chan string                { return s }
func (s fakeSubscription) Close() error                         { close(s); return nil }

type fakeLease struct {
	source *fakeSource
	leased bool
	ends   time.Time
}

func (l *fakeLease) Refresh(_ context.Context, sent string) (seatlock.RelayState, error) {
	s := l.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deleted {
		return seatlock.RelayState{}, seatlock.ErrUnknownEvent
	}
	if s.owner != l && (l.leased || time.Now().Before(s.ends)) {
		remaining := max(0, time.Until(s.ends))
		l.leased, l.ends = false, time.Time{}
		return seatlock.RelayState{LeasedFor: remaining}, seatlock.ErrLeased
	}
	if l.leased && sent != "" {
		s.cursor = sent
	}
	state := seatlock.RelayState{Now: time.Now(), Cursor: seatlock.NoChange, Last: seatlock.NoChange, NextExpiry: -1, Version: s.version}
	if s.cursor != "" {
		state.Cursor = s.cursor
	}
	if len(s.entries) > 0 {
		state.Last = s.entries[len(s.entries)-1].ID
	}
	l.leased, l.ends = state.Cursor != state.Last, time.Time{}
	if l.leased {
		s.owner, s.ends = l, time.Now().Add(leaseTime)
		l.ends = s.ends
	}
	state.Leased = l.leased
	return state, nil
}

func (l *fakeLease) Remaining() time.Duration { return time.Until(l.ends) }

func (l *fakeLease) Release(_ context.Context, sent string) error {
	if !l.leased {
		return nil
	}
	s := l.source
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursor, s.owner, s.ends = sent, nil, time.Time{}
	return nil
}

// answer is what a fakeSink does with a request.
type answer struct {
	status int
	header http.Header
	hang   bool // it never answers
}

// fakeSink is the transport to a sink that answers 204 unless answer says otherwise.
type fakeSink struct {
	mu       sync.Mutex
	answer   answer
	requests []time.Time
	received []string // the type and the ID of each event that it received
}

func (s *fakeSink) set(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = a
}

func (s *fakeSink) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var e cloudevent.Event
	if err := e.UnmarshalJSON(body); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.requests = append(s.requests, time.Now())
	a := s.answer
	if a.status == 0 {
		a.status = http.StatusNoContent
	}
	if a.status < 300 && !a.hang {
		s.received = append(s.received, e.Type()+" "+e.ID())
	}
	s.mu.Unlock()
	if a.hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// gaps returns how long passed between the requests.
func (s *fakeSink) gaps() (gaps []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 1; i < len(s.requests); i++ {
		gaps = append(gaps, s.requests[i].Sub(s.requests[i-1]))
	}
	return gaps
}

// all returns the types and IDs of the events that the sink received.
func (s *fakeSink) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

func (s *fakeSink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.received)
}

// run runs a Relay until the returned function is called.
func run(t *testing.T, source relay.Source, out http.RoundTripper) (r *relay.Relay, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r = relay.NewFrom(source, relay.Options{Sink: sink.Options{URL: "https://shop.example.com/sink", Transport: out}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	return r, func() { cancel(); <-done }
}
