package redistest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Fault is what a Proxy does to a piece of what passes it.
type Fault struct {
	Lose  bool          // swallow it and cut the connection
	Stall time.Duration // keep it for so long
	Until chan struct{} // keep it until this is closed
}

// Proxy stands between a client and a Redis and can lose requests and replies, and
// stall them. When it cuts a connection, the client hears of it only after Redis has
// run whatever reached it: so nothing that the client sends again can be overtaken by
// what it sent before.
type Proxy struct {
	Addr string
	// Lost counts the requests and replies that were swallowed.
	Lost    atomic.Int64
	once    atomic.Bool
	lose    atomic.Bool
	mu      sync.Mutex
	disturb func(reply bool) Fault
}

// NewProxy starts a proxy to r that ends with the test.
func NewProxy(t testing.TB, r *Redis) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	p := &Proxy{Addr: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client, r.Addr)
		}
	}()
	return p
}

// LoseNextReply makes the proxy pass on the next request, swallow what Redis
// answers, and cut the connection.
func (p *Proxy) LoseNextReply() { p.once.Store(true) }

// LoseReplies makes the proxy do so with every reply, until it is told to
// stop.
func (p *Proxy) LoseReplies(lose bool) { p.lose.Store(lose) }

// Disturb has fault decide what is done to each piece of a request or a reply; nil
// ends that. It is called by one goroutine at a time.
func (p *Proxy) Disturb(fault func(reply bool) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disturb = fault
}

// loses stalls a piece as it is to be, and reports whether to swallow it.
func (p *Proxy) loses(reply bool) bool {
	var f Fault
	p.mu.Lock()
	if p.disturb != nil {
		f = p.disturb(reply)
	}
	p.mu.Unlock()
	if f.Stall > 0 {
		<-time.After(f.Stall)
	}
	if f.Until != nil {
		<-f.Until
	}
	if f.Lose || reply && (p.lose.Load() || p.once.CompareAndSwap(true, false)) {
		p.Lost.Add(1)
		return true
	}
	return false
}

func (p *Proxy) serve(client net.Conn, addr string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.pass(server, client, false)
		// Redis runs what it has, answers, and closes; then so does pass below.
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	p.pass(client, server, true)
	_ = client.(*net.TCPConn).CloseRead()
	<-ended
	_, _ = io.Copy(io.Discard, server)
}

// pass passes pieces on until a side closes or a piece is to be lost.
func (p *Proxy) pass(to, from net.Conn, reply bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || p.loses(reply) {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
