package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sethvargo/go-envconfig"

	"booking/functions"
	"booking/functions/changes"
	"booking/functions/internal/api"
	"booking/functions/internal/auth"
	"booking/functions/internal/catalog"
	"booking/functions/internal/config"
	"booking/functions/internal/hall"
	"booking/functions/internal/httpserver"
	"booking/functions/internal/metrics"
	"booking/functions/internal/readiness"
	"booking/functions/internal/redisclient"
	"booking/functions/internal/sink"
	"booking/functions/internal/tracing"
	"booking/functions/page"
	"booking/functions/relay"
	"booking/seatlock"
)

// Service is the functions over the configured Redis.
type Service struct {
	Config  *config.Config
	Handler http.Handler // of the functions and probes; logs each call at level debug
	Monitor *readiness.Monitor
	Version string
	closers []func()
}

// Serve serves on listener until ctx ends, and then drains. Meanwhile it runs the Monitor.
func (s *Service) Serve(ctx context.Context, listener net.Listener) error {
	monitoring, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go s.Monitor.Run(monitoring)
	err := httpserver.Serve(ctx, listener, s.Handler, httpserver.Options{
		MaxConnections: s.Config.MaxConnections,
		RequestTimeout: s.Config.RequestTimeout,
		DrainDelay:     s.Config.DrainDelay,
		OnDrain: func() {
			s.Monitor.Drain()
			slog.Info("draining", "delay", s.Config.DrainDelay.String())
		},
	})
	if err == nil {
		slog.Info("stopped")
	}
	return err
}

// open connects to the Redis that c names, or starts the embedded one if c names none.
// It also serves the metrics. It does not fail if Redis is down: then the Monitor is
// unready until Redis answers.
func open(ctx context.Context, c *config.Config, env envconfig.Lookuper, version string) (_ *Service, err error) {
	s := &Service{Config: c, Version: version}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	client, check, err := s.connect()
	if err != nil {
		return nil, err
	}
	opt := seatlock.Options{HoldTime: c.HoldTTL, MaxHoldTime: c.MaxHold, RequestTTL: c.IdempotencyTTL, MaxSeatsPerUser: c.MaxSeatsPerUser,
		Timeout: c.RequestTimeout, Durable: c.Durable, SaleReplicas: c.SaleReplicas}
	var m *metrics.Metrics
	if c.MetricsPort != 0 {
		m = metrics.New(version, func() bool { return s.Monitor.Ready() }, func() bool { return s.Monitor.Up() })
		opt.OnBatch = m.Batch
	}
	opt.OnClockJump = func(by time.Duration) {
		slog.Warn("Redis's clock jumped: holds end early or late by as much; synchronize the clocks of all servers that Redis may run on", "by", by.String())
		if m != nil {
			m.ClockJump()
		}
	}
	locker, err := seatlock.New(client, opt)
	if err != nil {
		return nil, err
	}
	s.Monitor = readiness.New(func(ctx context.Context) error {
		if !functions.NeedsRedis(c.FunctionTarget) {
			return nil
		}
		return check(locker, ctx)
	})

	deps := functions.Deps{
		Locker: locker, Halls: hall.New(locker), Rules: api.Rules{MaxSeats: c.MaxSeatsPerRequest},
		Catalog: catalog.New(locker, catalog.Options{Unlisted: c.Plan, Listed: !c.UnlistedEvents}),
		Streams: changes.Options{Stop: s.Monitor.DrainStarted(), MaxStreams: c.MaxStreams, Interval: c.ChangesInterval}, Origins: c.CORSOrigins,
		Page: page.Settings{CheckoutURL: c.CheckoutURL, FrameAncestors: c.FrameAncestors},
	}
	deps.InPod, deps.Choice.Timeout = c.InPod(), c.RequestTimeout
	if deps.Callers, err = callers(c); err != nil {
		return nil, err
	}
	if refused := deps.Refused(c.FunctionTarget); len(refused) > 0 {
		slog.Warn("in a pod only sellers may make the calls of these functions, and no sellers are defined, so the calls are 403: set SELLER_TOKEN, SELLER_TOKEN_FILE or AUTH_ISSUER", "functions", refused)
	}
	var middleware []functions.Middleware
	if tracing.Enabled(env) {
		traces, err := tracing.Start(ctx, env, version)
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, traces.Stop)
		if err := traces.Redis(client); err != nil {
			return nil, err
		}
		middleware = append(middleware, traces.Middleware)
	}
	if m != nil {
		m.Redis(client, locker.Queued, seatlock.MaxQueued)
		m.Clock(locker.ClockOffset)
		m.Halls(deps.Halls)
		m.Events(locker)
		deps.Streams.OnStream, deps.Choice.OnTried = m.Streams(c.MaxStreams), m.Choice
		middleware = append(middleware, m.Middleware)
		s.serveMetrics(m)
	}
	if c.RunsRelay() {
		if err := s.startRelay(ctx, locker, m); err != nil {
			return nil, err
		}
	}
	handler, err := functions.Handler(c.FunctionTarget, deps, s.Monitor, middleware...)
	if err != nil {
		return nil, err
	}
	s.Handler = api.LogCalls(slog.Default(), handler)
	return s, nil
}

// startRelay runs the relay until ctx ends. Then it stops at once, before the calls are drained, so
// that another process goes on. m may be nil.
func (s *Service) startRelay(ctx context.Context, locker *seatlock.Locker, m *metrics.Metrics) error {
	c := s.Config
	opt := relay.Options{Source: c.SinkSource, Batch: c.SinkBatch, Kept: c.ChangesKept, Sink: sink.Options{URL: c.Sink(), Version: s.Version}}
	if c.SinkSecret != "" {
		var err error
		if opt.Sink.Secret, err = sink.ParseSecret(c.SinkSecret); err != nil {
			return err
		}
	}
	r := relay.New(locker, opt)
	if m != nil {
		m.Relay(func() metrics.RelayStats { return metrics.RelayStats(r.Stats()) })
	}
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	s.closers = append(s.closers, func() {
		stop()
		<-done
	})
	return nil
}

// callers returns what tells buyers from sellers, or nil if c defines no roles.
func callers(c *config.Config) (*auth.Callers, error) {
	seller, err := c.Seller()
	if err != nil || seller == nil && c.AuthIssuer == "" {
		return nil, err
	}
	return auth.New(auth.Options{
		Issuer: c.AuthIssuer, Audience: c.AuthAudience, SellerScope: c.AuthSellerScope, SellerToken: seller, Timeout: c.RequestTimeout,
	}), nil
}

// connect returns a client, and the check that decides whether the service is ready.
func (s *Service) connect() (redis.UniversalClient, func(*seatlock.Locker, context.Context) error, error) {
	url, check := s.Config.RedisURL, (*seatlock.Locker).Check
	if url == "" {
		embedded, closeRedis, err := redisclient.Embed()
		if err != nil {
			return nil, nil, err
		}
		s.closers = append(s.closers, closeRedis)
		slog.Warn("REDIS_URL is not set: seats are kept in this process and are lost when it ends")
		url, check = embedded, (*seatlock.Locker).Ping // it has no settings to check
	}
	client, err := redisclient.Open(s.Config.Redis(url))
	if err != nil {
		return nil, nil, err
	}
	s.closers = append(s.closers, func() { _ = client.Close() })
	return client, check, nil
}

// serveMetrics serves m and the probes on METRICS_PORT, where clients can't take all
// connections from them. If it can't listen there, it logs that: seats are sold
// without metrics.
func (s *Service) serveMetrics(m *metrics.Metrics) {
	port := s.Config.MetricsPort
	listener, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(port)))
	if err != nil {
		cause := err.Error()
		if errors.Is(err, syscall.EADDRINUSE) {
			cause = fmt.Sprintf("port %d is in use", port)
		}
		slog.Error("metrics disabled: " + cause + "; set METRICS_PORT to a free port, or to 0 to turn metrics off")
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", m.Handler())
	mux.Handle("/healthz", s.Monitor.Healthz())
	mux.Handle("/readyz", s.Monitor.Readyz())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second}
	s.closers = append(s.closers, func() { _ = server.Close() })
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("metrics disabled", "error", err)
		}
	}()
}

// close ends what open started, last first.
func (s *Service) close() {
	for _, closeOne := range slices.Backward(s.closers) {
		closeOne()
	}
}
