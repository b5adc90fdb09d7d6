// Package httpservertest runs an httpserver in a synctest bubble. Its connections are
// pipes, and time advances once everything waits, so tests assert exact timeouts.
package httpservertest

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/httpserver"
)

// Server is a running server.
type Server struct {
	listener *listener
	drain    func()
	ended    chan struct{} // closed when Serve has returned err
	err      error
	waited   bool
}

// Run runs test in a bubble, with a server of what setup returns. Then it drains the
// server, to which the test's clients are still connected, and requires that Serve
// returns nil, unless test has called Wait.
func Run(t *testing.T, setup func() (http.Handler, httpserver.Options), test func(t *testing.T, s *Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, drain := context.WithCancel(t.Context())
		s := &Server{listener: newListener(), drain: drain, ended: make(chan struct{})}
		handler, opt := setup()
		go func() {
			defer close(s.ended)
			s.err = httpserver.Serve(ctx, s.listener, handler, opt)
		}()
		defer func() {
			drain()
			if !s.waited {
				require.NoError(t, s.Wait())
			}
			time.Sleep(time.Minute) // in which clients notice that they are disconnected
		}()
		test(t, s)
	})
}

// Drain ends the context of Serve.
func (s *Server) Drain() { s.drain() }

// Wait returns what Serve returns.
func (s *Server) Wait() error {
	s.waited = true
	<-s.ended
	return s.err
}

// Closed reports whether the server has closed its listener.
func (s *Server) Closed() bool {
	select {
	case <-s.listener.closed:
		return true
	default:
		return false
	}
}

// Dial connects a client. It waits while the server has its maximum of connections.
func (s *Server) Dial(t *testing.T) *Client {
	t.Helper()
	ours, theirs := net.Pipe()
	s.listener.conns <- theirs
	t.Cleanup(func() { _ = ours.Close() })
	return &Client{Conn: ours, Responses: bufio.NewReader(ours), Opened: time.Now()}
}

// Client is a client's connection.
type Client struct {
	net.Conn
	Responses *bufio.Reader
	Opened    time.Time
}

// Send writes text, which the server may stop reading at any time.
func (c *Client) Send(text string) {
	go func() { _, _ = io.WriteString(c, text) }()
}

// Trickle writes text, and then a byte a second until the server disconnects.
func (c *Client) Trickle(text string) {
	go func() {
		_, err := io.WriteString(c, text)
		for err == nil {
			time.Sleep(time.Second)
			_, err = io.WriteString(c, "x")
		}
	}()
}

// SendEndlessly writes head, and then piece again and again until the server disconnects.
// It then sends the number of bytes to the channel that it returns.
func (c *Client) SendEndlessly(head, piece string) <-chan int {
	sent := make(chan int, 1)
	go func() {
		total, err := io.WriteString(c, head)
		for err == nil {
			var n int
			n, err = io.WriteString(c, piece)
			total += n
		}
		sent <- total
	}()
	return sent
}

// Response reads the response to a request with method.
func (c *Client) Response(t *testing.T, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(c.Responses, &http.Request{Method: method})
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

// RequireClosed requires that the server sends nothing more, and closes the connection
// when it is of that age.
func (c *Client) RequireClosed(t *testing.T, age time.Duration) {
	t.Helper()
	rest, err := io.ReadAll(c.Responses)
	require.NoError(t, err)
	require.Empty(t, string(rest))
	require.Equal(t, age, time.Since(c.Opened))
}

// listener accepts pipes.
type listener struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newListener() *listener {
	l := &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	return l
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.close()
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }
