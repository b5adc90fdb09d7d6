package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"booking/functions/cmd/internal/service"
	"booking/functions/internal/api"
	"booking/functions/internal/config"
	"booking/functions/internal/readiness"
)

// What a client may take: a request's header is a few hundred bytes and its body
// at most 16 KiB, so whoever is slower than this is not a shop.
const (
	headerTimeout  = 5 * time.Second
	bodyTimeout    = 10 * time.Second // header included
	answerTimeout  = 10 * time.Second // on top of REQUEST_TIMEOUT
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10
)

// serve serves s on listener until ctx ends, then drains: it turns unready,
// goes on serving for the drain delay while clients and load balancers take their
// leave, closes the listener, and lets what is in flight finish.
func serve(ctx context.Context, listener net.Listener, s *service.Service, c *config.Config) error {
	listener = netutil.LimitListener(listener, c.MaxConnections)
	handler, monitor := api.LogCalls(slog.Default(), s.Handler), s.Monitor
	server := &http.Server{
		Handler:           closing(monitor, handler),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      bodyTimeout + c.RequestTimeout + answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),

		DisableGeneralOptionsHandler: true, // its answer would lack what every answer has
	}
	var busy busyConns
	server.ConnState = busy.track
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		ctx, end := context.WithCancel(ctx)
		return api.WithWatch(ctx, func() { go conn.(*trackedConn).watch(end) })
	}
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	go monitor.Run(watching)

	ended := make(chan error, 1)
	go func() { ended <- server.Serve(trackedListener{listener}) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}

	monitor.Drain()
	slog.Info("draining", "delay", c.DrainDelay.String())
	select {
	case err := <-ended:
		return err
	case <-time.After(c.DrainDelay):
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.RequestTimeout+answerTimeout)
	defer cancel()
	_ = listener.Close()
	<-ended
	busy.wait(bounded)
	if err := server.Shutdown(bounded); err != nil {
		return errors.Join(err, server.Close())
	}
	slog.Info("stopped")
	return nil
}

// busyConns counts the connections that are new or being answered. Shutdown
// drops a request that it finds half read, so it must wait until there are none.
type busyConns struct{ n atomic.Int64 }

func (b *busyConns) track(conn net.Conn, state http.ConnState) {
	tracked := conn.(*trackedConn)
	tracked.active.Store(state == http.StateActive)
	now := state == http.StateNew || state == http.StateActive
	if was := tracked.busy.Swap(now); was != now {
		if now {
			b.n.Add(1)
		} else {
			b.n.Add(-1)
		}
	}
}

// wait returns when there are none, or ctx ends.
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

// trackedConn remembers whether busyConns counts it, and whether a request is being
// answered on it.
type trackedConn struct {
	patientConn
	busy, active atomic.Bool
}

// Read reads from the client, but not what net/http asks for while a request is being
// answered: one byte, to learn whether the client is gone. Where the answer has to
// wait, as it does for Redis, that costs a goroutine, a system call and two deadlines,
// a fifth of the request, to save the little that is left to do. A stream asks for it
// by api.WatchClient.
//
// For the next request it lets others run first: by then it has come, most often, and
// is not waited for in vain before. That saves a tenth of a status on one busy CPU.
func (c *trackedConn) Read(p []byte) (int, error) {
	switch active := c.active.Load(); {
	case !active:
		runtime.Gosched()
	case len(p) == 1:
		return 0, nil
	}
	return c.patientConn.Read(p)
}

// watch calls end when the client hangs up; or sends something, which no client does
// before the end of an answer. It reads past patientConn, which is the server's own.
func (c *trackedConn) watch(end func()) {
	defer end()
	if err := c.Conn.SetReadDeadline(time.Time{}); err == nil {
		_, _ = c.Conn.Read(make([]byte, 1))
	}
}

type trackedListener struct{ net.Listener }

func (l trackedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &trackedConn{patientConn: patientConn{Conn: conn}}, nil
}

// closing asks every client that is answered during the drain to open a new
// connection for its next request, so that none is cut off; and so a client that
// sends its request in chunks. Where a length stood beside them, which net/http does
// not tell, whatever is in between may have taken the request's end to be elsewhere
// (https://www.rfc-editor.org/rfc/rfc9112#section-6.3).
func closing(monitor *readiness.Monitor, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if monitor.Draining() || len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
