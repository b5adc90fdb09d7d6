// Package client sends the requests of buyers to a service, and notes each.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"booking/functions/cmd/rush/internal/history"
	"booking/seatlock"
	"booking/seatlock/oracle"
)

// timeout is how long an answer is waited for. What comes later is as good as lost.
const timeout = 15 * time.Second

// Client sends requests about one event to one service.
type Client struct {
	url, event string
	http       *http.Client
	slots      chan struct{}
	limit      *rate.Limiter
	start      time.Time
	log        *history.Log

	mu    sync.Mutex
	lags  []time.Duration // from when a request was due to when it was woken
	waits []time.Duration // from then until there was a connection
	wrong []oracle.Finding
	hall  hall
}

// New returns a Client with so many connections at most, which sends no more than
// perSecond requests, any number where 0. Time begins now.
func New(base, event string, connections int, perSecond float64, log *history.Log) *Client {
	limit := rate.NewLimiter(rate.Inf, 1)
	if perSecond > 0 {
		limit = rate.NewLimiter(rate.Limit(perSecond), 1)
	}
	return &Client{
		url: base, event: event, limit: limit, start: time.Now(), log: log,
		slots: make(chan struct{}, connections),
		http: &http.Client{
			Timeout:       timeout,
			Transport:     &http.Transport{MaxIdleConnsPerHost: connections, MaxIdleConns: connections, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // to another address
		},
	}
}

// Now is the time since the start, by the clock that nobody sets.
func (c *Client) Now() time.Duration { return time.Since(c.start) }

// Sleep waits until due, and reports false where ctx ends before.
func (c *Client) Sleep(ctx context.Context, due time.Duration) bool {
	timer := time.NewTimer(due - c.Now())
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// take waits until due, for the rate, and for a connection. It returns when the
// request was due by the rate; false where ctx ended before.
func (c *Client) take(ctx context.Context, due time.Duration) (time.Duration, bool) {
	if delay := c.limit.ReserveN(c.start.Add(due), 1).DelayFrom(c.start.Add(due)); delay > 0 {
		due += delay
	}
	if !c.Sleep(ctx, due) {
		return 0, false
	}
	woken := c.Now()
	c.slots <- struct{}{}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lags = append(c.lags, woken-due)
	c.waits = append(c.waits, c.Now()-woken)
	return due, true
}

// Lateness returns how late requests were sent: by the generator itself, and for
// want of a connection.
func (c *Client) Lateness() (own, connections history.Latency) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return history.Quantiles(slices.Values(c.lags)), history.Quantiles(slices.Values(c.waits))
}

// Wrong returns the answers that are about something else than what was asked for.
func (c *Client) Wrong() []oracle.Finding {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrong
}

type request struct {
	EventID string   `json:"event_id"`
	SeatIDs []string `json:"seat_ids"`
	UserID  string   `json:"user_id"`
}

type answer struct {
	request
	Status      any    `json:"status"` // a word in a success, a number in a problem
	Code        string `json:"code"`
	ExpiresInMS int64  `json:"expires_in_ms"`
	Conflicts   []seat `json:"conflicts"`
}

type seat struct {
	SeatID      string `json:"seat_id"`
	Status      string `json:"status"`
	ExpiresInMS int64  `json:"expires_in_ms"`
}

var statuses = map[string]seatlock.Status{"Reserved": seatlock.Reserved, "Sold": seatlock.Sold}

// AboutAsked is broken by a success that tells of other seats, another user or
// another event.
const AboutAsked oracle.Promise = "an answer is about what was asked for"

// Change sends a request to change seats when it is due. A call that ctx kept from
// being sent has no Op; what has been sent is waited for.
func (c *Client) Change(ctx context.Context, op oracle.Op, seats []string, user string, due time.Duration) history.Call {
	due, ok := c.take(ctx, due)
	if !ok {
		return history.Call{}
	}
	defer func() { <-c.slots }()
	asked := request{c.event, seats, user}
	body, err := json.Marshal(asked)
	if err != nil {
		panic(err) // there are but strings in it
	}
	call := history.Call{Due: due, Call: oracle.Call{Op: op, Event: c.event, Seats: seats, User: user, Sent: c.Now()}}
	resp, err := c.http.Post(c.url+"/"+string(op), "application/json", bytes.NewReader(body))
	var got answer
	if err == nil {
		call.Status = resp.StatusCode
		err = json.NewDecoder(resp.Body).Decode(&got)
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	call.Answered, call.Code, call.Outcome = c.Now(), got.Code, outcome(call.Status, got.Code, err)
	for _, s := range got.Conflicts {
		call.Conflicts = append(call.Conflicts, seatlock.Seat{ID: s.SeatID, Status: statuses[s.Status], ExpiresIn: time.Duration(s.ExpiresInMS) * time.Millisecond})
	}
	if call.Outcome == oracle.Done {
		call.Hold = time.Duration(got.ExpiresInMS) * time.Millisecond
		if got.EventID != c.event || got.UserID != user || !slices.Equal(got.SeatIDs, seats) {
			c.mu.Lock()
			c.wrong = append(c.wrong, oracle.Finding{Promise: AboutAsked, Seat: oracle.SeatID{Event: c.event, Seat: seats[0]}, Calls: []oracle.Call{call.Call}})
			c.mu.Unlock()
		}
	}
	c.log.Add(call)
	return call
}

// outcome is what an answer proves. Where a gateway speaks for the service, nobody
// knows whether the service was reached.
func outcome(status int, code string, err error) oracle.Outcome {
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial", code == "unavailable":
		return oracle.NotRun
	case status == http.StatusOK && err == nil:
		return oracle.Done
	case status == http.StatusConflict && code != "", code == "hold_expired", code == "held_by_other":
		return oracle.Refused
	case status >= 300 && status < 500:
		return oracle.NotRun
	}
	return oracle.Unknown
}

func (c *Client) mapURL() string { return c.url + "/seats?event_id=" + url.QueryEscape(c.event) }
