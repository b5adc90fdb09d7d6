package httpserver

import (
	"errors"
	"net"
	"os"
	"time"
)

// lazyDeadlineConn coalesces deadline updates: extending a deadline sets no timer.
// net/http moves its deadlines seven times a request. Here the timer of the earlier
// deadline stays, and once it fires, it is set to the current deadline.
type lazyDeadlineConn struct {
	net.Conn
	read, write lazyDeadline
}

// lazyDeadline is when an operation must have ended, and the deadline that the timer is
// set to. Zero means never.
type lazyDeadline struct{ current, timer time.Time }

// set makes t the deadline. It calls setTimer if the timer could fire too late for it.
func (d *lazyDeadline) set(t time.Time, setTimer func(time.Time) error) error {
	d.current = t
	if t.IsZero() || !d.timer.IsZero() && !t.Before(d.timer) {
		return nil
	}
	d.timer = t
	return setTimer(t)
}

// extended reports whether err comes from the timer of an earlier deadline. It then sets
// the timer to the current one.
func (d *lazyDeadline) extended(err error, setTimer func(time.Time) error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || !d.current.IsZero() && time.Until(d.current) <= 0 {
		return false
	}
	d.timer = d.current
	return setTimer(d.current) == nil
}

func (c *lazyDeadlineConn) SetReadDeadline(t time.Time) error {
	return c.read.set(t, c.Conn.SetReadDeadline)
}

func (c *lazyDeadlineConn) SetWriteDeadline(t time.Time) error {
	return c.write.set(t, c.Conn.SetWriteDeadline)
}

func (c *lazyDeadlineConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *lazyDeadlineConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err == nil || !c.read.extended(err, c.Conn.SetReadDeadline) {
			return n, err
		}
	}
}

func (c *lazyDeadlineConn) Write(p []byte) (int, error) {
	for sent := 0; ; {
		n, err := c.Conn.Write(p[sent:])
		sent += n
		if err == nil || !c.write.extended(err, c.Conn.SetWriteDeadline) {
			return sent, err
		}
	}
}
