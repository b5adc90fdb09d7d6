package httpserver_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/httpserver"
	"booking/functions/internal/httpserver/httpservertest"
)

const (
	get  = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	post = "POST / HTTP/1.1\r\nHost: x\r\n"

	requestTimeout = 2 * time.Second
	drainDelay     = 3 * time.Second
	maxConnections = 10
)

// run runs test with a server that has the timeouts above.
func run(t *testing.T, handler http.HandlerFunc, test func(t *testing.T, s *httpservertest.Server)) {
	t.Helper()
	httpservertest.Run(t, func() (http.Handler, httpserver.Options) {
		return handler, httpserver.Options{MaxConnections: maxConnections, RequestTimeout: requestTimeout, DrainDelay: drainDelay}
	}, test)
}

// echo responds with the request's body, or 400 if it can't read that.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = w.Write(body)
}

func TestServe_CutsOffSlowClients(t *testing.T) {
	t.Parallel()
	t.Run("SendNothing", func(t *testing.T) {
		t.Parallel()
		run(t, echo, func(t *testing.T, s *httpservertest.Server) {
			s.Dial(t).RequireClosed(t, 5*time.Second)
		})
	})
	t.Run("TrickleHeader", func(t *testing.T) {
		t.Parallel()
		run(t, echo, func(t *testing.T, s *httpservertest.Server) {
			c := s.Dial(t)
			c.Trickle(post + "X-Slow: ")
			c.RequireClosed(t, 5*time.Second)
		})
	})
	t.Run("TrickleBody", func(t *testing.T) {
		t.Parallel()
		run(t, echo, func(t *testing.T, s *httpservertest.Server) {
			c := s.Dial(t)
			c.Trickle(post + "Content-Length: 1000\r\n\r\n{")
			resp, _ := c.Response(t, http.MethodPost)
			require.Equal(t, http.StatusBadRequest, resp.StatusCode)
			require.Equal(t, 10*time.Second, time.Since(c.Opened))
			require.True(t, resp.Close)
		})
	})
	t.Run("TrickleSecondHeader", func(t *testing.T) {
		t.Parallel()
		run(t, echo, func(t *testing.T, s *httpservertest.Server) {
			c := s.Dial(t)
			c.Send(get)
			c.Response(t, http.MethodGet)
			c.Trickle("GET / HTTP/1.1\r\nX-Slow: ")
			c.RequireClosed(t, 5*time.Second)
		})
	})
	t.Run("Idle", func(t *testing.T) {
		t.Parallel()
		run(t, echo, func(t *testing.T, s *httpservertest.Server) {
			c := s.Dial(t)
			c.Send(get)
			c.Response(t, http.MethodGet)
			c.RequireClosed(t, 2*time.Minute)
		})
	})
	t.Run("DontReadResponse", func(t *testing.T) {
		t.Parallel()
		large := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 1<<20)) }
		run(t, large, func(t *testing.T, s *httpservertest.Server) {
			c := s.Dial(t)
			c.Send(get)
			time.Sleep(22*time.Second + time.Millisecond)
			resp, err := http.ReadResponse(c.Responses, nil)
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
			}
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "the server still sends the response")
		})
	})
}

func TestServe_LimitsHeaders(t *testing.T) {
	t.Parallel()
	run(t, echo, func(t *testing.T, s *httpservertest.Server) {
		c := s.Dial(t)
		sent := c.SendEndlessly(post, "X-More: "+strings.Repeat("x", 100)+"\r\n")
		resp, _ := c.Response(t, http.MethodPost)
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)
		_, err := io.Copy(io.Discard, c.Responses)
		require.NoError(t, err)
		require.Less(t, <-sent, 32<<10)
	})
}

func TestServe_LetsClientsWaitForConnection(t *testing.T) {
	t.Parallel()
	run(t, echo, func(t *testing.T, s *httpservertest.Server) {
		start := time.Now()
		for range maxConnections {
			s.Dial(t)
		}
		c := s.Dial(t)
		require.Equal(t, 5*time.Second, time.Since(start), "the first connections time out")
		c.Send(get)
		resp, _ := c.Response(t, http.MethodGet)
		require.Equal(t, http.StatusOK, resp.StatusCode)
	})
}

func TestServe_ClosesConnectionAfterChunkedRequest(t *testing.T) {
	t.Parallel()
	run(t, echo, func(t *testing.T, s *httpservertest.Server) {
		c := s.Dial(t)
		c.Send(post + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" + get)
		resp, body := c.Response(t, http.MethodPost)
		require.Equal(t, "x", body)
		require.True(t, resp.Close)
		c.RequireClosed(t, 0)
	})
}

// A connection that a handler takes over counts until it is closed.
func TestServe_CountsConnectionsThatAreTakenOver(t *testing.T) {
	t.Parallel()
	var taken []net.Conn
	takeOver := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			taken = append(taken, conn)
		}
	}
	run(t, takeOver, func(t *testing.T, s *httpservertest.Server) {
		for range maxConnections {
			s.Dial(t).Send(get)
			synctest.Wait()
		}
		require.Len(t, taken, maxConnections)
		go func() { s.Dial(t).Send(get) }() // Dial waits
		time.Sleep(time.Hour)
		require.Len(t, taken, maxConnections)
		require.NoError(t, taken[0].Close())
		synctest.Wait()
		require.Len(t, taken, maxConnections+1)
		for _, conn := range taken {
			_ = conn.Close()
		}
	})
}

func TestServe_AnswersDuringDrainDelay(t *testing.T) {
	t.Parallel()
	run(t, echo, func(t *testing.T, s *httpservertest.Server) {
		idle := s.Dial(t)
		idle.Send(get)
		resp, _ := idle.Response(t, http.MethodGet)
		require.False(t, resp.Close)

		s.Drain()
		time.Sleep(drainDelay - time.Nanosecond)
		for _, c := range []*httpservertest.Client{idle, s.Dial(t)} {
			c.Send(get)
			resp, _ := c.Response(t, http.MethodGet)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.True(t, resp.Close)
		}
		require.False(t, s.Closed())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.True(t, s.Closed())
		require.NoError(t, s.Wait())
	})
}

func TestServe_FinishesCallsInFlight(t *testing.T) {
	t.Parallel()
	run(t, echo, func(t *testing.T, s *httpservertest.Server) {
		inHeader, inBody := s.Dial(t), s.Dial(t)
		_, err := io.WriteString(inHeader, post)
		require.NoError(t, err)
		_, err = io.WriteString(inBody, post+"Content-Length: 2\r\n\r\na")
		require.NoError(t, err)
		s.Drain()
		time.Sleep(drainDelay + time.Second)
		require.True(t, s.Closed())
		inHeader.Send("Content-Length: 2\r\n\r\nab")
		inBody.Send("b")
		for _, c := range []*httpservertest.Client{inHeader, inBody} {
			resp, body := c.Response(t, http.MethodPost)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.Equal(t, "ab", body)
		}
		require.NoError(t, s.Wait())
	})
}

func TestServe_GivesUpOnCallsThatDontEnd(t *testing.T) {
	t.Parallel()
	httpservertest.Run(t, func() (http.Handler, httpserver.Options) {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(time.Hour) }), httpserver.Options{RequestTimeout: requestTimeout}
	}, func(t *testing.T, s *httpservertest.Server) {
		c := s.Dial(t)
		c.Send(get)
		synctest.Wait()
		s.Drain()
		require.Error(t, s.Wait())
		c.RequireClosed(t, requestTimeout+10*time.Second)
		time.Sleep(time.Hour) // until the handler ends
	})
}

func TestServe_CallsOnDrainOnce(t *testing.T) {
	t.Parallel()
	var drains atomic.Int64
	httpservertest.Run(t, func() (http.Handler, httpserver.Options) {
		return http.HandlerFunc(echo), httpserver.Options{OnDrain: func() { drains.Add(1) }}
	}, func(t *testing.T, s *httpservertest.Server) {
		synctest.Wait()
		require.Zero(t, drains.Load())
		s.Drain()
		require.NoError(t, s.Wait())
		require.Equal(t, int64(1), drains.Load())
	})
}

func TestServe_EndsWithLastCall(t *testing.T) {
	t.Parallel()
	for name, inFlight := range map[string]time.Duration{"Idle": 0, "CallInFlight": drainDelay + time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := func(http.ResponseWriter, *http.Request) { time.Sleep(inFlight) }
			run(t, call, func(t *testing.T, s *httpservertest.Server) {
				c := s.Dial(t)
				c.Send(get)
				if inFlight == 0 {
					c.Response(t, http.MethodGet)
				}
				synctest.Wait()
				drained := time.Now()
				s.Drain()
				if inFlight > 0 {
					c.Response(t, http.MethodGet)
				}
				require.NoError(t, s.Wait())
				// The server looks for calls in flight once a millisecond or so.
				require.WithinRange(t, time.Now(), drained.Add(max(drainDelay, inFlight)), drained.Add(max(drainDelay, inFlight)+100*time.Millisecond))
			})
		})
	}
}

// net/http would read from the connection to learn that, which costs more than it saves.
func TestServe_DoesNotNoticeThatClientHangsUp(t *testing.T) {
	t.Parallel()
	ended := errors.New("the call has not ended")
	call := func(_ http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second)
		ended = r.Context().Err()
	}
	run(t, call, func(t *testing.T, s *httpservertest.Server) {
		c := s.Dial(t)
		c.Send(get)
		synctest.Wait()
		require.NoError(t, c.Close())
		time.Sleep(time.Second)
		synctest.Wait()
		require.NoError(t, ended)
	})
}

func TestServe_ReturnsFaultOfListener(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.ErrorIs(t, httpserver.Serve(t.Context(), listener, http.HandlerFunc(echo), httpserver.Options{}), net.ErrClosed)
	drained, drain := context.WithCancel(t.Context())
	drain()
	require.ErrorIs(t, httpserver.Serve(drained, listener, http.HandlerFunc(echo), httpserver.Options{DrainDelay: time.Hour}), net.ErrClosed)
}

// failingListener can't accept a number of connections, as if the process had too many open files.
type failingListener struct {
	net.Listener
	failures int
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, syscall.EMFILE
	}
	return l.Listener.Accept()
}

// A connection that was not accepted does not count.
func TestServe_AcceptsAfterTooManyOpenFiles(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, drain := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- httpserver.Serve(ctx, &failingListener{listener, 2}, http.HandlerFunc(echo), httpserver.Options{MaxConnections: 1, RequestTimeout: time.Minute})
	}()
	resp, err := http.Get("http://" + listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	drain()
	require.NoError(t, <-served)
}
