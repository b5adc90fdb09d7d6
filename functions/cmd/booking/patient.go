package main

import (
	"errors"
	"net"
	"os"
	"time"
)

// patientConn is a connection of which a deadline that moves on costs nothing.
// net/http moves them seven times a request and sets a timer each time: a twenty-fifth
// of what a request costs. Here the timer of an earlier deadline stays, and only when
// it goes off is it set to the one that holds by then.
type patientConn struct {
	net.Conn
	read, write deadline
}

// deadline is when an operation must have ended; never where zero.
type deadline struct{ is, set time.Time }

// move makes t the deadline, and calls set where a timer may go off too late for it.
func (d *deadline) move(t time.Time, set func(time.Time) error) error {
	d.is = t
	if t.IsZero() || !d.set.IsZero() && !t.Before(d.set) {
		return nil
	}
	d.set = t
	return set(t)
}

// early reports whether err comes from the timer of an earlier deadline, and then sets
// the one that holds.
func (d *deadline) early(err error, set func(time.Time) error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || !d.is.IsZero() && time.Until(d.is) <= 0 {
		return false
	}
	d.set = d.is
	return set(d.is) == nil
}

func (c *patientConn) SetReadDeadline(t time.Time) error {
	return c.read.move(t, c.Conn.SetReadDeadline)
}

func (c *patientConn) SetWriteDeadline(t time.Time) error {
	return c.write.move(t, c.Conn.SetWriteDeadline)
}

func (c *patientConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *patientConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err == nil || !c.read.early(err, c.Conn.SetReadDeadline) {
			return n, err
		}
	}
}

func (c *patientConn) Write(p []byte) (int, error) {
	for sent := 0; ; {
		n, err := c.Conn.Write(p[sent:])
		sent += n
		if err == nil || !c.write.early(err, c.Conn.SetWriteDeadline) {
			return sent, err
		}
	}
}
