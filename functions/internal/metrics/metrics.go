// Package metrics counts what operators watch, for Prometheus. Every label has few
// values, and none comes from a request.
package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/extra/redisprometheus/v9"
	"github.com/redis/go-redis/v9"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// seconds are the buckets of all latencies: from a Redis on the same machine to
// the longest REQUEST_TIMEOUT that makes sense.
var seconds = []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}

// Metrics is all that one process exposes.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
	seats    *prometheus.CounterVec
	trips    *prometheus.HistogramVec
	calls    prometheus.Histogram
	jumps    prometheus.Counter
}

// New returns the metrics of a process of the version; ready tells whether it can
// serve.
func New(version string, ready func() bool) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "booking_request_duration_seconds", Help: "Time to answer a request, by function and status.", Buckets: seconds,
		}, []string{"function", "code"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "booking_requests_in_flight", Help: "Requests that are being answered, by function.",
		}, []string{"function"}),
		seats: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "booking_seats_total", Help: "Seats that were asked for, by call and outcome: the success, or the code of the refusal.",
		}, []string{"call", "outcome"}),
		trips: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "booking_redis_round_trip_seconds", Help: "Time of a round trip to Redis, which many requests may share, by result.", Buckets: seconds,
		}, []string{"result"}),
		calls: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "booking_redis_round_calls", Help: "Calls that shared a round trip.", Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
	}
	m.jumps = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "booking_redis_clock_jumps_total", Help: "Jumps of Redis's clock by a second or more, which end holds early or late.",
	})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "booking_build_info", Help: "Always 1; the version is the label.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.inFlight, m.seats, m.trips, m.calls, m.jumps, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.gauge("booking_ready", "Whether Redis answers and is set up safely.", func() float64 {
		if ready() {
			return 1
		}
		return 0
	})
	return m
}

func (m *Metrics) gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Middleware measures the requests of a function.
func (m *Metrics) Middleware(function string, next http.Handler) http.Handler {
	next = promhttp.InstrumentHandlerDuration(m.requests.MustCurryWith(prometheus.Labels{"function": function}), next)
	return promhttp.InstrumentHandlerInFlight(m.inFlight.WithLabelValues(function), next)
}

// Round notes that calls share a round trip.
func (m *Metrics) Round(calls int) { m.calls.Observe(float64(calls)) }

// ClockJump counts a jump of Redis's clock.
func (m *Metrics) ClockJump() { m.jumps.Inc() }

// Clock reports how far the clock of Redis differs from this process's.
func (m *Metrics) Clock(offset func() time.Duration) {
	m.gauge("booking_redis_clock_offset_seconds", "Redis's clock minus this process's; of a cluster's nodes the largest.", func() float64 { return offset().Seconds() })
}

// Redis measures a client of which queued calls, limit at most, wait in this
// process.
func (m *Metrics) Redis(client redis.UniversalClient, queued func() int, limit int) {
	client.AddHook(hook{m})
	m.registry.MustRegister(redisprometheus.NewCollector("booking", "redis", pipelinePool{client}))
	m.gauge("booking_redis_queued_calls", "Calls that wait for a round trip.", func() float64 { return float64(queued()) })
	m.gauge("booking_redis_queue_limit", "How many may wait; past it requests are answered 503.", func() float64 { return float64(limit) })
}

// StreamLimit tells how many streams of changes there may be. How many there are is
// booking_requests_in_flight.
func (m *Metrics) StreamLimit(limit int) {
	m.gauge("booking_stream_limit", "How many streams of changes may be open; past it /changes is answered 503.", func() float64 { return float64(limit) })
}

// pipelinePool tells of the connections that pipelines use, which have a pool of
// their own.
type pipelinePool struct{ client redis.UniversalClient }

func (p pipelinePool) PoolStats() *redis.PoolStats {
	stats := p.client.PoolStats()
	if stats.PipelineStats != nil {
		return (*redis.PoolStats)(stats.PipelineStats)
	}
	return stats
}

// hook measures round trips: a command by itself, or a pipeline of them.
type hook struct{ m *Metrics }

func (h hook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		start := time.Now()
		err := next(ctx, cmd)
		h.observe(start, err)
		return err
	}
}

func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		start := time.Now()
		err := next(ctx, cmds)
		h.observe(start, err)
		return err
	}
}

// observe notes a round trip. What Redis answers is a result, an error or not.
func (h hook) observe(start time.Time, err error) {
	result := "ok"
	if _, answered := err.(redis.Error); err != nil && !answered {
		result = "error"
	}
	h.m.trips.WithLabelValues(result).Observe(time.Since(start).Seconds())
}

// Locker is what Seats needs of seatlock.Locker.
type Locker interface {
	Reserve(ctx context.Context, event string, seats []string, user string) (seatlock.Hold, error)
	Buy(ctx context.Context, event string, seats []string, user string) error
	Extend(ctx context.Context, event string, seats []string, user string) (seatlock.Hold, error)
	Release(ctx context.Context, event string, seats []string, user string) error
	Status(ctx context.Context, event, seat string) (seatlock.Seat, error)
	Map(ctx context.Context, event string) (seatlock.SeatMap, error)
	LastChange(ctx context.Context, event string) (string, error)
	Changes(ctx context.Context, event, after string, limit int) ([]seatlock.Change, error)
	AwaitChange(ctx context.Context, event, after string, wait time.Duration) error
	RecordExpired(ctx context.Context, event string) (time.Duration, error)
}

// Seats counts the seats that are asked of next, by outcome.
func (m *Metrics) Seats(next Locker) Locker { return counting{next, m.seats} }

type counting struct {
	Locker
	seats *prometheus.CounterVec
}

func (c counting) Reserve(ctx context.Context, event string, seats []string, user string) (seatlock.Hold, error) {
	hold, err := c.Locker.Reserve(ctx, event, seats, user)
	c.count("reserve", "reserved", len(seats), err)
	return hold, err
}

func (c counting) Buy(ctx context.Context, event string, seats []string, user string) error {
	err := c.Locker.Buy(ctx, event, seats, user)
	c.count("buy", "sold", len(seats), err)
	return err
}

func (c counting) Extend(ctx context.Context, event string, seats []string, user string) (seatlock.Hold, error) {
	hold, err := c.Locker.Extend(ctx, event, seats, user)
	c.count("extend", "extended", len(seats), err)
	return hold, err
}

func (c counting) Release(ctx context.Context, event string, seats []string, user string) error {
	err := c.Locker.Release(ctx, event, seats, user)
	c.count("release", "released", len(seats), err)
	return err
}

func (c counting) count(call, outcome string, seats int, err error) {
	if err != nil {
		outcome = string(api.CodeOf(err))
	}
	c.seats.WithLabelValues(call, outcome).Add(float64(seats))
}
