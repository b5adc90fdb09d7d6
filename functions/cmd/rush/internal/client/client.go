// Package client sends the buyers' calls to a service, and records each call with
// its answer and its latency.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"booking/seatlock"
	"booking/seatlock/oracle"
)

// timeout is how long the client waits for an answer. A later answer counts as lost.
const timeout = 15 * time.Second

// Client makes calls about one event to one service.
type Client struct {
	Log    *Log   // of all calls
	Tokens Tokens // that it sends; set before the first call

	url, event string
	http       *http.Client
	slots      chan struct{} // one for each connection
	limit      *rate.Limiter
	start      time.Time

	mu         sync.Mutex
	delays     []time.Duration // from when a call was due until its goroutine ran
	waits      []time.Duration // from then until a connection was free
	mismatches []oracle.Finding
	cache      cachedMap
}

// New returns a Client that has at most that many connections, and makes at most
// perSecond calls a second; 0 is no limit. Its clock starts now.
func New(url, event string, connections int, perSecond float64) *Client {
	limit := rate.NewLimiter(rate.Inf, 1)
	if perSecond > 0 {
		limit = rate.NewLimiter(rate.Limit(perSecond), 1)
	}
	return &Client{
		Log: newLog(), url: url, event: event, limit: limit, start: time.Now(),
		slots: make(chan struct{}, connections),
		http: &http.Client{
			Timeout:       timeout,
			Transport:     &http.Transport{MaxIdleConnsPerHost: connections, MaxIdleConns: connections, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Now returns the monotonic time since New.
func (c *Client) Now() time.Duration { return time.Since(c.start) }

// Start returns when Now was 0.
func (c *Client) Start() time.Time { return c.start }

// Sleep waits until due. It returns false if ctx ends first.
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

// acquire waits until a call is due, until the rate limit allows it, and for a
// connection. It returns when the call was due under the rate limit, or false if ctx
// ended first. Each acquire needs a release.
func (c *Client) acquire(ctx context.Context, due time.Duration) (time.Duration, bool) {
	if !c.Sleep(ctx, due) {
		return 0, false
	}
	// At its time, and not before: the limiter counts wrongly if a call comes before an earlier one.
	if delay := c.limit.Reserve().Delay(); delay > 0 {
		due = c.Now() + delay
		if !c.Sleep(ctx, due) {
			return 0, false
		}
	}
	woken := c.Now()
	c.slots <- struct{}{}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delays = append(c.delays, woken-due)
	c.waits = append(c.waits, c.Now()-woken)
	return due, true
}

func (c *Client) release() { <-c.slots }

// Delays returns how late calls were sent: because this process was busy, and
// because no connection was free.
func (c *Client) Delays() (process, connection Latency) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return newLatency(slices.Values(c.delays)), newLatency(slices.Values(c.waits))
}

// AnswerMatches is broken by a success that names other seats, another user, another order or
// another event than the call.
const AnswerMatches oracle.Promise = "a success names the seats, the user or channel, the order, and the event of its call"

// Mismatches returns the answers that break AnswerMatches.
func (c *Client) Mismatches() []oracle.Finding {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mismatches
}

type request struct {
	EventID string   `json:"event_id"`
	SeatIDs []string `json:"seat_ids"`
	UserID  string   `json:"user_id,omitempty"`
	OrderID string   `json:"order_id,omitempty"`    // of a buy, return or exchange
	ToSeats []string `json:"to_seat_ids,omitempty"` // of an exchange
	Channel string   `json:"channel,omitempty"`     // of a block or unblock, in place of the user
}

// response is the body of a success or of a problem.
type response struct {
	request
	Code        string    `json:"code"`
	ExpiresAt   time.Time `json:"expires_at"`
	ExpiresInMS int64     `json:"expires_in_ms"`
	Conflicts   []seat    `json:"conflicts"`
	Adjacent    bool      `json:"adjacent"`
}

type seat struct {
	SeatID      string `json:"seat_id"`
	Status      string `json:"status"`
	ExpiresInMS int64  `json:"expires_in_ms"`
}

var statuses = map[string]seatlock.Status{"Reserved": seatlock.Reserved, "Sold": seatlock.Sold, "Blocked": seatlock.Blocked}

// Send makes a call that changes seats, when it is due: the Op, Seats, To, User and Order of want.
// If ctx ends before the call is sent, the result has no Op. A call that was sent is always
// waited for. The user of a block or unblock is the channel.
func (c *Client) Send(ctx context.Context, want oracle.Call, due time.Duration) Call {
	due, ok := c.acquire(ctx, due)
	if !ok {
		return Call{}
	}
	defer c.release()
	sent := request{EventID: c.event, SeatIDs: want.Seats, UserID: want.User, OrderID: want.Order, ToSeats: want.To}
	after := want.Seats // that the user has after a success
	if want.Op == oracle.Exchange {
		after = want.To
	}
	if want.Op == oracle.Block || want.Op == oracle.Unblock {
		sent.UserID, sent.Channel = "", want.User
	}
	body, err := json.Marshal(sent)
	if err != nil {
		panic(err) // strings always encode
	}
	call := Call{Due: due, Call: oracle.Call{Op: want.Op, Event: c.event, Seats: want.Seats, To: want.To, User: want.User, Order: want.Order, Sent: c.Now()}}
	got := c.post(ctx, &call, c.Tokens.of(want.Op, want.User), body)
	toCaller := got.Code == "already_yours" || want.Op == oracle.Buy && got.Code == "seat_sold"
	for _, s := range got.Conflicts {
		call.Conflicts = append(call.Conflicts, seatlock.Seat{ID: s.SeatID, Status: statuses[s.Status],
			ExpiresIn: time.Duration(s.ExpiresInMS) * time.Millisecond, OwnedByCaller: toCaller})
	}
	if call.Outcome == oracle.Done {
		call.Hold, call.Deadline = time.Duration(got.ExpiresInMS)*time.Millisecond, got.ExpiresAt
		if got.EventID != sent.EventID || got.UserID != sent.UserID || got.OrderID != sent.OrderID || got.Channel != sent.Channel || !slices.Equal(got.SeatIDs, after) {
			c.addMismatch(call)
		}
	}
	c.Log.add(call)
	return call
}

// codeNotOnSale is the code of a refusal outside of the sale window.
const codeNotOnSale = "not_on_sale"

// post makes call by a POST to the path of its Op, and adds what the answer says of its outcome. The
// call is to be sent now. token and headers are as in do.
func (c *Client) post(ctx context.Context, call *Call, token string, body []byte, headers ...string) (got response) {
	resp, err := c.do(ctx, http.MethodPost, "/"+string(call.Op), token, body, headers...)
	if err == nil {
		call.Status = resp.StatusCode
		err = json.NewDecoder(resp.Body).Decode(&got)
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	call.Answered, call.Code, call.Outcome = c.Now(), got.Code, outcome(call.Status, got.Code, err)
	call.NotOnSale = got.Code == codeNotOnSale
	return got
}

// do makes a call with a JSON body, a token and headers, if there are any. headers are names,
// each with its value. ctx does not end the call.
func (c *Client) do(ctx context.Context, method, path, token string, body []byte, headers ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	return c.http.Do(req)
}

// outcome returns what an answer proves. A 5xx without the service's own code proves
// nothing: it may come from a gateway.
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
