package httpserver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// connListener wraps connections in noBackgroundReadConn, and limits how many are open. It
// replaces netutil.LimitListener, whose connections hide their sockets from streams.
type connListener struct {
	net.Listener
	slots  chan struct{} // has one value a connection; nil: no limit
	closed chan struct{}
	close  func()
}

func newConnListener(l net.Listener, limit int) *connListener {
	closed := make(chan struct{})
	c := &connListener{Listener: l, closed: closed, close: sync.OnceFunc(func() { close(closed) })}
	if limit > 0 {
		c.slots = make(chan struct{}, limit)
	}
	return c
}

func (l *connListener) Accept() (net.Conn, error) {
	release := func() {}
	if l.slots != nil {
		select {
		case l.slots <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
		release = func() { <-l.slots }
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		release()
		return nil, err
	}
	return &noBackgroundReadConn{Conn: conn, release: sync.OnceFunc(release)}, nil
}

func (l *connListener) Close() error {
	l.close()
	return l.Listener.Close()
}

// noBackgroundReadConn skips net/http's background read. While a handler runs, net/http
// reads one byte to learn whether the client hung up. For a handler that waits for
// Redis this costs a fifth of a call (a goroutine, a system call, two deadlines) and can
// save only the little work that is left. A stream takes the connection over, and then looks
// by itself.
type noBackgroundReadConn struct {
	net.Conn
	release func()
	active  atomic.Bool // a request is being read or answered
	busy    atomic.Bool // busyConns counts this connection
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

func (c *noBackgroundReadConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// SyscallConn returns the socket, for a stream that has taken the connection over.
func (c *noBackgroundReadConn) SyscallConn() (syscall.RawConn, error) {
	if conn, ok := c.Conn.(syscall.Conn); ok {
		return conn.SyscallConn()
	}
	return nil, errors.ErrUnsupported
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
