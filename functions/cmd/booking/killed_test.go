package main

import (
	"bytes"
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

// killedCrowd is a crowd of buyers. Each call goes to a process that is ready, as behind a
// load balancer.
type killedCrowd struct {
	t     *testing.T
	start time.Time
	urls  [3]string // of the processes
	ready [3]atomic.Bool
	lost  [3]atomic.Int64 // calls without a response
	stop  atomic.Bool
	done  atomic.Int64 // calls

	mu    sync.Mutex
	calls []oracle.Call
}

// While a crowd buys at three processes over one Redis, one process is killed and one
// drains. No seat is lost or sold twice, and only the killed process leaves calls without
// a response.
func TestBooking_LosesNothingWhenProcessesEnd(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	c := &killedCrowd{t: t, start: time.Now()}
	var processes []*processtest.Process
	for i := range c.urls {
		// Within the delay the load balancer must notice that a process drains.
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
	stop := func() { c.stop.Store(true); buyers.Wait() }
	t.Cleanup(stop)

	c.awaitDone(200)
	processes[1].Signal(t, syscall.SIGKILL)
	require.Eventually(t, func() bool { return c.lost[1].Load() > 0 }, redistest.WaitLimit, time.Millisecond, "no call meets the kill")
	c.ready[1].Store(false)
	c.awaitDone(100)
	processes[2].Signal(t, syscall.SIGTERM)
	processes[2].Await(t, "/readyz", http.StatusServiceUnavailable)
	c.ready[2].Store(false)
	require.Equal(t, 0, processes[2].Wait())
	c.awaitDone(100)
	stop()
	require.Zero(t, c.lost[0].Load(), "the process that runs on lost calls")
	require.Zero(t, c.lost[2].Load(), "the process that drained lost calls")

	final := oracle.Final{}
	admin := r.Admin(t)
	for keys := admin.Scan(t.Context(), 0, "seat:{killed}:*", 1000).Iterator(); keys.Next(t.Context()); {
		value, ttl := admin.Get(t.Context(), keys.Val()).Val(), admin.PTTL(t.Context(), keys.Val()).Val()
		id := oracle.SeatID{Event: "killed", Seat: strings.TrimPrefix(keys.Val(), "seat:{killed}:")}
		if user, _, sold := redistest.SaleOf(value); sold {
			final[id] = oracle.State{Status: seatlock.Sold, User: user, TTL: ttl >= 0}
		}
	}
	findings := oracle.Check(oracle.History{Calls: c.calls, HoldTime: killedHold}, final)
	require.Empty(t, findings)
	t.Logf("%d calls, %d without a response, %d seats sold, none lost", len(c.calls), c.lost[1].Load(), len(final))
}

func (c *killedCrowd) awaitDone(n int64) {
	c.t.Helper()
	want := c.done.Load() + n
	require.Eventually(c.t, func() bool { return c.done.Load() >= want }, redistest.WaitLimit, time.Millisecond, "the crowd is too slow")
}

// buyer reserves and buys seats that others want too, until c.stop.
func (c *killedCrowd) buyer(number int) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := 0; !c.stop.Load(); i++ {
		seats := []string{fmt.Sprint(i, "A"), fmt.Sprint(i, "B")}[:1+(number+i)%2]
		user := fmt.Sprintf("user%d.%d", number, i)
		if c.call(client, number, oracle.Reserve, seats, user) == oracle.Done {
			c.call(client, number, oracle.Buy, seats, user)
		}
	}
}

// call retries a call, at one process after the other, until its outcome is known.
func (c *killedCrowd) call(client *http.Client, buyer int, op oracle.Op, seats []string, user string) oracle.Outcome {
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
			c.t.Errorf("the outcome stays unknown: %v", call)
			return call.Outcome
		}
	}
}

// choose returns the first process from the n-th on that is ready.
func (c *killedCrowd) choose(n int) int {
	for ; ; n++ {
		if i := n % len(c.urls); c.ready[i].Load() {
			return i
		}
	}
}

// send sends call to a process and records the response in call.
func (c *killedCrowd) send(client *http.Client, process int, call *oracle.Call) {
	request, err := json.Marshal(map[string]any{"event_id": call.Event, "seat_ids": call.Seats, "user_id": call.User})
	if err != nil {
		c.t.Error(err)
	}
	call.Outcome = oracle.Unknown
	resp, err := client.Post(c.urls[process]+"/"+string(call.Op), "application/json", bytes.NewReader(request))
	if err != nil {
		c.lost[process].Add(1)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	var body struct {
		ExpiresIn int64  `json:"expires_in_ms"`
		Code      string `json:"code"`
		Conflicts []struct {
			ID     string `json:"seat_id"`
			Status string `json:"status"`
		} `json:"conflicts"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		c.lost[process].Add(1)
		return
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		call.Outcome, call.Hold = oracle.Done, time.Duration(body.ExpiresIn)*time.Millisecond
	case body.Code == "unavailable":
		call.Outcome = oracle.NotRun
	case resp.StatusCode == http.StatusConflict || resp.StatusCode == http.StatusBadRequest:
		call.Outcome = oracle.Refused
		statuses := map[string]seatlock.Status{"Available": seatlock.Available, "Reserved": seatlock.Reserved, "Sold": seatlock.Sold}
		for _, seat := range body.Conflicts {
			call.Conflicts = append(call.Conflicts, seatlock.Seat{ID: seat.ID, Status: statuses[seat.Status]})
		}
	case resp.StatusCode != http.StatusServiceUnavailable:
		c.t.Errorf("%+v: status %d, %s", call, resp.StatusCode, body.Code)
	}
}
