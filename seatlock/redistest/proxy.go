package redistest

import (
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy stands between a client and a Redis and can lose replies.
type Proxy struct {
	Addr string
	// Lost counts the replies that were swallowed.
	Lost atomic.Int64
	once atomic.Bool
	lose atomic.Bool
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

func (p *Proxy) serve(client net.Conn, addr string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		if p.lose.Load() || p.once.CompareAndSwap(true, false) {
			p.Lost.Add(1)
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}
