// Package service puts together what both commands run the functions on.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sethvargo/go-envconfig"

	"booking/functions"
	"booking/functions/changes"
	"booking/functions/internal/api"
	"booking/functions/internal/auth"
	"booking/functions/internal/config"
	"booking/functions/internal/logging"
	"booking/functions/internal/metrics"
	"booking/functions/internal/readiness"
	"booking/functions/internal/redisclient"
	"booking/functions/internal/seatplan"
	"booking/functions/internal/tracing"
	"booking/functions/page"
	"booking/seatlock"
)

// ErrConfiguration means that the process can't start as it is configured. It has
// been logged, fault by fault.
var ErrConfiguration = errors.New("the configuration is wrong")

// Configure sets up the log, to output, and reads the configuration. args are the
// command's, which takes none but those that Answer knows.
func Configure(ctx context.Context, args []string, env envconfig.Lookuper, output io.Writer) (*config.Config, error) {
	logging.Setup(output, slog.LevelInfo)
	c, err := config.Load(ctx, env, functions.Names())
	if len(args) > 1 {
		err = errors.Join(fmt.Errorf("unknown argument %q: environment variables configure booking; booking --help lists them", args[1]), err)
	}
	if err != nil {
		for fault := range strings.Lines(err.Error()) {
			slog.Error(ErrConfiguration.Error(), "fault", strings.TrimSpace(fault))
		}
		return nil, ErrConfiguration
	}
	logging.Setup(output, c.LogLevel)
	return c, nil
}

// ExitStatus logs why a command ended, where that is not known yet, and returns
// its status: 0, 1 for a fault, 2 for a wrong configuration.
func ExitStatus(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrConfiguration):
		return 2
	}
	slog.Error("stopped", "error", err)
	return 1
}

// Service is the functions over the configured Redis, and what watches them.
type Service struct {
	Handler http.Handler
	Monitor *readiness.Monitor
	close   []func()
}

// Open connects to the Redis that c names, or starts the embedded one where it
// names none, and serves the metrics. A Redis that is down fails nothing: the
// Monitor, once it runs, tells.
func Open(ctx context.Context, c *config.Config, env envconfig.Lookuper, version string) (_ *Service, err error) {
	s := &Service{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	client, check, err := s.connect(c)
	if err != nil {
		return nil, err
	}
	opt := seatlock.Options{HoldTime: c.HoldTTL, MaxHoldTime: c.MaxHold, MaxSeatsPerUser: c.MaxSeatsPerUser,
		Timeout: c.RequestTimeout, Durable: c.Durable, SaleReplicas: c.SaleReplicas}
	var m *metrics.Metrics
	if c.MetricsPort != 0 {
		m = metrics.New(version, func() bool { return s.Monitor.Ready() })
		opt.OnBatch = m.Round
	}
	opt.OnClockJump = func(by time.Duration) {
		slog.Warn("the clock of Redis jumped: holds end early or late by as much; synchronize the clocks of all servers that Redis may run on", "by", by.String())
		if m != nil {
			m.ClockJump()
		}
	}
	locker, err := seatlock.New(client, opt)
	if err != nil {
		return nil, err
	}
	s.Monitor = readiness.New(func(ctx context.Context) error { return check(locker, ctx) })

	needs := functions.Needs{
		Locker: locker, Rules: api.Rules{MaxSeats: c.MaxSeatsPerRequest, HasSeat: c.Plan.Has},
		Rows: rows(c.Plan), Streams: changes.Options{Stop: s.Monitor.Stop(), MaxStreams: c.MaxStreams}, Origins: c.CORSOrigins,
	}
	if c.AuthIssuer != "" {
		needs.Prove = auth.New(auth.Options{Issuer: c.AuthIssuer, Audience: c.AuthAudience, Timeout: c.RequestTimeout}).Middleware
	}
	var middleware []functions.Middleware
	if tracing.Enabled(env) {
		traces, err := tracing.Start(ctx, env, version)
		if err != nil {
			return nil, err
		}
		s.close = append(s.close, traces.Stop)
		if err := traces.Redis(client); err != nil {
			return nil, err
		}
		middleware = append(middleware, traces.Middleware)
	}
	if m != nil {
		m.Redis(client, locker.Queued, seatlock.MaxQueued)
		m.Clock(locker.ClockOffset)
		m.StreamLimit(c.MaxStreams)
		needs.Locker = m.Seats(locker)
		middleware = append(middleware, m.Middleware)
		s.serveMetrics(c.MetricsPort, m)
	}
	s.Handler, err = functions.Handler(c.FunctionTarget, needs, s.Monitor, middleware...)
	return s, err
}

// rows are what the page shows: the hall of the plan, or one to try things in.
func rows(plan seatplan.Plan) []page.Row {
	if len(plan.Rows()) == 0 {
		plan, _ = seatplan.Parse("1-12:A-H")
	}
	rows := make([]page.Row, len(plan.Rows()))
	for i, row := range plan.Rows() {
		rows[i] = page.Row(row)
	}
	return rows
}

// connect returns a client and the check that makes it ready.
func (s *Service) connect(c *config.Config) (redis.UniversalClient, func(*seatlock.Locker, context.Context) error, error) {
	url, check := c.RedisURL, (*seatlock.Locker).Check
	if url == "" {
		embedded, closeRedis, err := redisclient.Embed()
		if err != nil {
			return nil, nil, err
		}
		s.close = append(s.close, closeRedis)
		slog.Warn("REDIS_URL is not set: seats are kept in this process and are lost when it ends")
		url, check = embedded, (*seatlock.Locker).Ping // it has no settings to check
	}
	client, err := redisclient.Open(c.Redis(url))
	if err != nil {
		return nil, nil, err
	}
	s.close = append(s.close, func() { _ = client.Close() })
	return client, check, nil
}

// serveMetrics serves m at /metrics of port, and the probes again: there no client's
// connection can keep them from an answer. Where it can't, it says so, and seats are
// sold all the same.
func (s *Service) serveMetrics(port int, m *metrics.Metrics) {
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
	s.close = append(s.close, func() { _ = server.Close() })
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("metrics disabled", "error", err)
		}
	}()
}

// Close ends what Open started, last first.
func (s *Service) Close() {
	for _, end := range slices.Backward(s.close) {
		end()
	}
}
