package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/internal/processtest"
	"booking/seatlock"
	"booking/seatlock/oracle"
	"booking/seatlock/redistest"
)

const killedHold = 2 * time.Second

// killedCrowd is buyers over HTTP, each at a process that their load balancer takes for
// ready.
type killedCrowd struct {
	t     *testing.T
	start time.Time
	urls  [3]string // of the processes
	ready [3]atomic.Bool
	lost  [3]atomic.Int64 // requests that were not answered
	left  atomic.Bool
	done  atomic.Int64

	mu    sync.Mutex
	calls []oracle.Call
}

// One of three processes over one Redis is killed while a crowd buys, and one is told
// to stop, which its load balancer sees by /readyz. Nothing is lost and nothing sold
// twice; and only the killed one leaves requests without an answer.
func TestProcessesThatDieLoseNothing(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	c := &killedCrowd{t: t, start: time.Now()}
	var processes []*processtest.Process
	for i := range c.urls {
		// The load balancer has until the delay ends to see that a process drains.
		p := processtest.Start(t, "REDIS_URL="+r.URL(), "HOLD_TTL="+killedHold.String(), "MAX_HOLD=1m", "DRAIN_DELAY=10s")
		p.Await(t, "/readyz", http.StatusOK)
		processes = append(processes, p)
		c.urls[i] = p.URL
		c.ready[i].Store(true)
	}
	var buyers sync.WaitGroup
	for n := range 12 {
		buyers.Go(func() { c.buyer(n) })
	}
	leave := func() { c.left.Store(true); buyers.Wait() }
	t.Cleanup(leave)

	c.awaitDone(200)
	processes[1].Signal(t, syscall.SIGKILL)
	require.Eventually(t, func() bool { return c.lost[1].Load() > 0 }, redistest.Patience, time.Millisecond, "no request meets the kill")
	c.ready[1].Store(false)
	c.awaitDone(100)
	processes[2].Signal(t, syscall.SIGTERM)
	processes[2].Await(t, "/readyz", http.StatusServiceUnavailable)
	c.ready[2].Store(false)
	require.Equal(t, 0, processes[2].Wait())
	c.awaitDone(100)
	leave()
	require.Zero(t, c.lost[0].Load(), "a process that goes on lost requests")
	require.Zero(t, c.lost[2].Load(), "a process that was told to stop lost requests")

	final := oracle.Final{}
	admin := r.Admin(t)
	for keys := admin.Scan(t.Context(), 0, "seat:{killed}:*", 1000).Iterator(); keys.Next(t.Context()); {
		value, ttl := admin.Get(t.Context(), keys.Val()).Val(), admin.PTTL(t.Context(), keys.Val()).Val()
		id := oracle.SeatID{Event: "killed", Seat: strings.TrimPrefix(keys.Val(), "seat:{killed}:")}
		if user, sold := strings.CutPrefix(value, "sold:"); sold {
			final[id] = oracle.State{Status: seatlock.Sold, User: user, TTL: ttl >= 0}
		}
	}
	findings := oracle.Check(oracle.History{Calls: c.calls, HoldTime: killedHold}, final)
	require.Empty(t, findings)
	t.Logf("%d calls, %d without an answer, %d seats sold, none lost", len(c.calls), c.lost[1].Load(), len(final))
}

func (c *killedCrowd) awaitDone(n int64) {
	c.t.Helper()
	want := c.done.Load() + n
	require.Eventually(c.t, func() bool { return c.done.Load() >= want }, redistest.Patience, time.Millisecond, "the crowd is too slow")
}

// buyer reserves and buys seats that others want too, until it is told to leave.
func (c *killedCrowd) buyer(number int) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := 0; !c.left.Load(); i++ {
		seats := []string{fmt.Sprint(i, "A"), fmt.Sprint(i, "B")}[:1+(number+i)%2]
		user := fmt.Sprintf("user%d.%d", number, i)
		if c.settle(client, number, oracle.Reserve, seats, user) == oracle.Done {
			c.settle(client, number, oracle.Buy, seats, user)
		}
	}
}

// settle sends a call to one process after the other until its outcome is known.
func (c *killedCrowd) settle(client *http.Client, buyer int, op oracle.Op, seats []string, user string) oracle.Outcome {
	for attempt := 0; ; attempt++ {
		call := oracle.Call{Op: op, Event: "killed", Seats: seats, User: user, Sent: time.Since(c.start)}
		c.send(client, c.choose(buyer+attempt), &call)
		call.Answered = time.Since(c.start)
		c.mu.Lock()
		c.calls = append(c.calls, call)
		c.mu.Unlock()
		switch call.Outcome {
		case oracle.Done:
			c.done.Add(1)
			return call.Outcome
		case oracle.Refused:
			return call.Outcome
		}
		if attempt == 10_000 {
			c.t.Errorf("does not settle: %v", call)
			return call.Outcome
		}
	}
}

// choose returns the number of a process that is ready, from the n-th on.
func (c *killedCrowd) choose(n int) int {
	for ; ; n++ {
		if i := n % len(c.urls); c.ready[i].Load() {
			return i
		}
	}
}

// send sends call to a process and notes the answer in it.
func (c *killedCrowd) send(client *http.Client, process int, call *oracle.Call) {
	body, err := json.Marshal(map[string]any{"event_id": call.Event, "seat_ids": call.Seats, "user_id": call.User})
	if err != nil {
		c.t.Error(err)
	}
	call.Outcome = oracle.Unknown
	resp, err := client.Post(c.urls[process]+"/"+string(call.Op), "application/json", strings.NewReader(string(body)))
	if err != nil {
		c.lost[process].Add(1)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		ExpiresIn int64  `json:"expires_in_ms"`
		Code      string `json:"code"`
		Conflicts []struct {
			ID     string `json:"seat_id"`
			Status string `json:"status"`
		} `json:"conflicts"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		c.lost[process].Add(1)
		return
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		call.Outcome, call.Hold = oracle.Done, time.Duration(answer.ExpiresIn)*time.Millisecond
	case answer.Code == "unavailable":
		call.Outcome = oracle.NotRun
	case resp.StatusCode == http.StatusConflict || resp.StatusCode == http.StatusBadRequest:
		call.Outcome = oracle.Refused
		statuses := map[string]seatlock.Status{"Available": seatlock.Available, "Reserved": seatlock.Reserved, "Sold": seatlock.Sold}
		for _, seat := range answer.Conflicts {
			call.Conflicts = append(call.Conflicts, seatlock.Seat{ID: seat.ID, Status: statuses[seat.Status]})
		}
	case resp.StatusCode != http.StatusServiceUnavailable:
		c.t.Errorf("%+v: status %d, %s", call, resp.StatusCode, answer.Code)
	}
}
