package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// Booking makes the calls of one event.
type Booking struct {
	URL, Event string
	Token      string // the seller's; empty if booking has no roles
	HTTP       *http.Client
}

// Create puts the event on sale, with a plan, unless it exists. booking tells of the changes of events
// that were put.
func (b *Booking) Create(ctx context.Context, plan string) error {
	text, err := json.Marshal(map[string]string{"plan": plan})
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/json"}, "If-None-Match": {"*"}}
	answer, err := b.do(ctx, http.MethodPut, "/events/"+b.Event, header, text)
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) && refusal.Code == "precondition_failed" {
		return nil
	}
	if err != nil {
		return err
	}
	return answer.Close()
}

// Reserve holds seats for a user. It is the buyer's call, before the checkout.
func (b *Booking) Reserve(ctx context.Context, user string, seats ...string) error {
	return b.post(ctx, "/reserve", "", request{b.Event, seats, nil, user, ""})
}

// Buy sells the order's seats to its user.
func (b *Booking) Buy(ctx context.Context, o Order) error {
	return b.post(ctx, "/buy", o.Key(), request{b.Event, o.Seats, nil, o.User, o.ID})
}

// Return ends the sale of the order's seats.
func (b *Booking) Return(ctx context.Context, o Order) error {
	return b.post(ctx, "/return", o.Key(), request{b.Event, o.Seats, nil, o.User, o.ID})
}

// Exchange moves the sale of the order's seats to the seats To.
func (b *Booking) Exchange(ctx context.Context, o Order) error {
	return b.post(ctx, "/exchange", o.Key(), request{b.Event, o.Seats, o.To, o.User, o.ID})
}

type request struct {
	EventID   string   `json:"event_id"`
	SeatIDs   []string `json:"seat_ids"`
	ToSeatIDs []string `json:"to_seat_ids,omitempty"`
	UserID    string   `json:"user_id"`
	OrderID   string   `json:"order_id,omitempty"`
}

// post makes a call. It fails with a *Refusal if booking says no. Any other error is no answer:
// the call may have had its effect.
func (b *Booking) post(ctx context.Context, path, key string, body request) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	answer, err := b.do(ctx, http.MethodPost, path, header, text)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer)
	return errors.Join(err, answer.Close())
}

// do makes a call and returns the body of a 200 or a 201.
func (b *Booking) do(ctx context.Context, method, path string, header http.Header, body []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = header
	if b.Token != "" {
		req.Header.Set("Authorization", "Bearer "+b.Token)
	}
	resp, err := b.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusCreated {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	return nil, newError(path, resp)
}

// newError returns a *Refusal if booking has answered no. A 503 and a gateway's error are none, nor
// is a 401: with the right token, the call may succeed.
func newError(path string, resp *http.Response) error {
	var problem struct {
		Code, Detail string
		Conflicts    []struct {
			SeatID string `json:"seat_id"`
		}
	}
	_ = json.NewDecoder(resp.Body).Decode(&problem) // a gateway's error has no code
	isNo := problem.Code != "" && (resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusConflict)
	if !isNo && !slices.Contains([]string{"unknown_seat", "unknown_event", "invalid_request", "precondition_failed"}, problem.Code) {
		return fmt.Errorf("%s: %s %s", path, resp.Status, problem.Detail)
	}
	refusal := &Refusal{Code: problem.Code}
	for _, c := range problem.Conflicts {
		refusal.Conflicts = append(refusal.Conflicts, c.SeatID)
	}
	return refusal
}
