// Package httpserver serves HTTP with limits, timeouts and a drain. Slow, silent or too
// many clients can't keep others from being served, and a shutdown loses no call.
package httpserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// A request has a header of a few hundred bytes and a body of at most 16 KiB. A client
// that needs longer than this to send it is broken or hostile.
const (
	headerTimeout   = 5 * time.Second
	requestTimeout  = 10 * time.Second // to send header and body
	responseTimeout = 10 * time.Second // for the client to read the response
	idleTimeout     = 2 * time.Minute
	maxHeaderBytes  = 16 << 10
)

// Options limit a server and its drain.
type Options struct {
	MaxConnections int           // open at a time, later clients wait; 0: no limit
	RequestTimeout time.Duration // how long a handler may wait for Redis
	DrainDelay     time.Duration // how long the server still serves once ctx has ended
	OnDrain        func()        // called when the drain starts; may be nil
}

// Serve serves handler on listener until ctx ends. Then it drains: it serves for
// DrainDelay more, while load balancers move clients to other servers. Then it closes
// listener and finishes the calls in flight. It returns nil if it finished them all.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, opt Options) error {
	listener = newConnListener(listener, opt.MaxConnections)
	var draining atomic.Bool
	var busy busyConns
	server := &http.Server{
		Handler:           closeConnections(&draining, handler),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout + opt.RequestTimeout + responseTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
		ConnState:         busy.track,

		DisableGeneralOptionsHandler: true, // its response to OPTIONS * would lack handler's headers
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}

	draining.Store(true)
	if opt.OnDrain != nil {
		opt.OnDrain()
	}
	select {
	case err := <-served:
		return err
	case <-time.After(opt.DrainDelay):
	}
	_ = listener.Close()
	<-served //nolint:errcheck // it says that the listener is closed
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), opt.RequestTimeout+responseTimeout)
	defer cancel()
	busy.wait(ctx)
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}

// closeConnections closes a connection after its response if the server drains, so
// that the client's next call goes elsewhere. It does the same after a chunked request:
// such a request may also have had a Content-Length, which net/http doesn't report, and
// then a proxy may see the request's end elsewhere
// (https://www.rfc-editor.org/rfc/rfc9112#section-6.3).
func closeConnections(draining *atomic.Bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() || len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
