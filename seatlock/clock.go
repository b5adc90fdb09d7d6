package seatlock

import (
	"sync"
	"time"
)

// started is the origin of this process's monotonic time.
var started = time.Now()

// A clock estimates the time of one Redis server from its replies. A reply that
// carries the server's time was made between the moments when the command was sent
// and when the reply was received, which bounds the difference to this process's
// monotonic time; further replies narrow it.
type clock struct {
	mu        sync.Mutex
	known     bool
	low, high time.Duration // bounds of: Unix time of the server − monotonic time
}

// observe takes the server's time from a reply, ms since the epoch. It returns how far
// the server's clock jumped since the replies before: zero if they agree.
func (c *clock) observe(now int64, sent, received time.Time) (jump time.Duration) {
	at := time.Duration(now) * time.Millisecond
	low, high := at-received.Sub(started), at+time.Millisecond-sent.Sub(started)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.known:
		c.known = true
	case low > c.high:
		jump = low - c.high
	case high < c.low:
		jump = high - c.low
	default:
		c.low, c.high = max(c.low, low), min(c.high, high)
		return 0
	}
	c.low, c.high = low, high
	return jump
}

// at returns what the server's clock shows at t or shortly before, ms since the epoch;
// false if the server has told no time yet.
func (c *clock) at(t time.Time) (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return (t.Sub(started) + c.low).Milliseconds(), c.known
}

// offset returns the server's time minus the wall clock of this process; 0 if the
// server has told no time yet.
func (c *clock) offset() time.Duration {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known {
		return 0
	}
	return c.low + now.Sub(started) - time.Duration(now.UnixNano())
}
