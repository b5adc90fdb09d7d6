package client

import (
	"context"
	"encoding/json"
	"time"

	"booking/seatlock/oracle"
)

// Best is the Op of a call for the best available seats. The oracle knows it as a reserve of
// the seats that the answer names.
const Best oracle.Op = "reserve-best"

// BestRequest is what a buyer wants.
type BestRequest struct {
	User     string
	Quantity int
	Area     string // whose places the buyer wants; "" for seats
	Key      string // the Idempotency-Key
}

// The codes of a refusal to choose.
const (
	CodeSoldOut    = "sold_out"
	CodeNoAdjacent = "no_adjacent_seats"
)

// SendBest makes a call for the best available seats when it is due. Its Seats are those of the answer.
// If ctx ends before the call is sent, the result has no Op.
func (c *Client) SendBest(ctx context.Context, want BestRequest, due time.Duration) Call {
	due, ok := c.acquire(ctx, due)
	if !ok {
		return Call{}
	}
	defer c.release()
	body, err := json.Marshal(struct {
		EventID  string `json:"event_id"`
		UserID   string `json:"user_id"`
		Quantity int    `json:"quantity"`
		AreaID   string `json:"area_id,omitempty"`
	}{c.event, want.User, want.Quantity, want.Area})
	if err != nil {
		panic(err) // strings always encode
	}
	call := Call{Due: due, Best: &want, Call: oracle.Call{Op: Best, Event: c.event, User: want.User, Sent: c.Now()}}
	got := c.post(ctx, &call, c.Tokens.of(oracle.Reserve, want.User), body, "Idempotency-Key", want.Key)
	if call.Outcome == oracle.Done {
		call.Seats, call.Adjacent = got.SeatIDs, got.Adjacent
		call.Hold, call.Deadline = time.Duration(got.ExpiresInMS)*time.Millisecond, got.ExpiresAt
		if got.EventID != c.event || got.UserID != want.User || len(got.SeatIDs) != want.Quantity {
			c.addMismatch(call)
		}
	}
	c.Log.add(call)
	return call
}

// addMismatch notes an answer that breaks AnswerMatches.
func (c *Client) addMismatch(call Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := oracle.Finding{Promise: AnswerMatches, Seat: oracle.SeatID{Event: c.event}, Calls: []oracle.Call{call.Call}}
	if len(call.Seats) > 0 {
		f.Seat.Seat = call.Seats[0]
	}
	c.mismatches = append(c.mismatches, f)
}
