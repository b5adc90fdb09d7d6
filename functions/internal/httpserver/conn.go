package httpserver

import (
	"context"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"
)

type noBackgroundReadListener struct{ net.Listener }

func (l noBackgroundReadListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &noBackgroundReadConn{Conn: conn}, nil
}

// noBackgroundReadConn skips net/http's background read. While a handler runs, net/http
// reads one byte to learn whether the client hung up. For a handler that waits for
// Redis this costs a fifth of a call (a goroutine, a system call, two deadlines) and can
// save only the little work that is left. A stream calls [api.WatchClient] instead.
type noBackgroundReadConn struct {
	net.Conn
	active atomic.Bool // a request is being read or answered
	busy   atomic.Bool // busyConns counts this connection
}

// Read reads from the client, but not the single byte of a background read.
//
// Before it reads the next request it yields, which saves a tenth of a status call on
// one busy CPU: meanwhile the request arrives, and the read need not wait for it.
func (c *noBackgroundReadConn) Read(p []byte) (int, error) {
	switch active := c.active.Load(); {
	case !active:
		runtime.Gosched()
	case len(p) == 1:
		return 0, nil
	}
	return c.Conn.Read(p)
}

// cancelOnHangUp calls cancel when the client hangs up. It also does if the client sends
// something; no client does that before the response ends.
func (c *noBackgroundReadConn) cancelOnHangUp(cancel context.CancelFunc) {
	defer cancel()
	if err := c.SetReadDeadline(time.Time{}); err == nil {
		_, _ = c.Conn.Read(make([]byte, 1))
	}
}

// busyConns counts the connections that are new or active. Shutdown drops a request that
// it finds half read, so the drain first waits until no connection is busy.
type busyConns struct{ n atomic.Int64 }

// track is a server's ConnState.
func (b *busyConns) track(conn net.Conn, state http.ConnState) {
	c := conn.(*noBackgroundReadConn)
	c.active.Store(state == http.StateActive)
	busy := state == http.StateNew || state == http.StateActive
	if was := c.busy.Swap(busy); was == busy {
		return
	}
	if busy {
		b.n.Add(1)
	} else {
		b.n.Add(-1)
	}
}

// wait returns when no connection is busy, or ctx ends.
func (b *busyConns) wait(ctx context.Context) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for b.n.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
