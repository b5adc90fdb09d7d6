package seatlock

import (
	"sync"
	"time"
)

// started is the origin of this process's monotonic time.
var started = time.Now()

// clock estimates the time of a Redis server from its replies. The server read its clock
// after the command was sent and before the reply was received. That bounds the difference
// to this process's monotonic time, and each further reply narrows the bounds.
type clock struct {
	mu        sync.Mutex
	known     bool
	low, high time.Duration // bounds of: Unix time of the server − monotonic time
}

// observe records the server's time, ms since the epoch, from a reply. It returns how far
// the server's clock jumped since the earlier replies; 0 if they agree.
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

// at returns the server's time at t, ms since the epoch. It may be a little early, never
// late. It returns false before the first reply.
func (c *clock) at(t time.Time) (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return (t.Sub(started) + c.low).Milliseconds(), c.known
}

// offset returns the server's time minus this process's wall clock; 0 before the first
// reply.
func (c *clock) offset() time.Duration {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known {
		return 0
	}
	return c.low + now.Sub(started) - time.Duration(now.UnixNano())
}
