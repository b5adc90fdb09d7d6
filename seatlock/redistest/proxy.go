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

// Fault is what a Proxy does to one piece of a request or a reply. The zero value passes
// it on.
type Fault struct {
	Lose  bool          // drop it and cut the connection
	Stall time.Duration // delay it
	Until chan struct{} // delay it until this is closed
}

// Proxy relays connections to a Redis. It can lose and delay requests and replies.
//
// When it cuts a connection, the client notices only after Redis has run everything that
// reached it. So what the client sends on its next connection runs later.
type Proxy struct {
	Addr string
	// Lost counts the pieces of requests and replies that were lost.
	Lost     atomic.Int64
	loseNext atomic.Bool
	lose     atomic.Bool
	mu       sync.Mutex // guards disturb
	disturb  func(reply bool) Fault
}

// NewProxy starts a proxy to r that stops when the test ends.
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

// LoseNextReply drops the next reply and cuts its connection. The request reaches Redis.
func (p *Proxy) LoseNextReply() { p.loseNext.Store(true) }

// LoseReplies drops every reply and cuts its connection, until it is called with false.
func (p *Proxy) LoseReplies(lose bool) { p.lose.Store(lose) }

// Disturb sets the function that decides the fault of each piece; nil removes it. The
// proxy never calls it concurrently.
func (p *Proxy) Disturb(fault func(reply bool) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disturb = fault
}

// applyFault delays a piece and reports whether to lose it.
func (p *Proxy) applyFault(reply bool) (lose bool) {
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
	if f.Lose || reply && (p.lose.Load() || p.loseNext.CompareAndSwap(true, false)) {
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
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		p.relay(server, client, false)
		// Redis runs what it has received, answers and closes. That ends the relay below.
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	p.relay(client, server, true)
	_ = client.(*net.TCPConn).CloseRead()
	<-sent
	_, _ = io.Copy(io.Discard, server)
}

// relay copies pieces until a side closes or a piece is lost.
func (p *Proxy) relay(to, from net.Conn, reply bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || p.applyFault(reply) {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
