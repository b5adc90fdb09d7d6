// Package metrics exposes metrics for Prometheus. Each label has few values, and none
// comes from a request.
package metrics

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/extra/redisprometheus/v9"
	"github.com/redis/go-redis/v9"

	"booking/functions/internal/api"
	"booking/functions/internal/hall"
)

// seconds are the buckets of all latencies, from those of a Redis on the same machine to
// those of a long REQUEST_TIMEOUT.
var seconds = []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}

// Metrics are the metrics of a process.
type Metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.HistogramVec
	inFlight   *prometheus.GaugeVec
	seats      *prometheus.CounterVec
	roundTrips *prometheus.HistogramVec
	batchCalls prometheus.Histogram
	attempts   prometheus.Histogram
	clockJumps prometheus.Counter
}

// New returns the metrics of a process of the version. ready reports whether the process can serve,
// up whether Redis answers and is configured safely.
func New(version string, ready, up func() bool) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "booking_request_duration_seconds", Help: "Duration of requests, by function and status.", Buckets: seconds,
		}, []string{"function", "code"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "booking_requests_in_flight", Help: "Requests in flight, by function.",
		}, []string{"function"}),
		seats: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "booking_seats_total", Help: "Seats that calls asked for, by function and outcome: the success, or the code of the problem.",
		}, []string{"call", "outcome"}),
		roundTrips: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "booking_redis_round_trip_seconds", Help: "Duration of round trips to Redis, by result. Many calls can share one.", Buckets: seconds,
		}, []string{"result"}),
		batchCalls: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "booking_redis_batch_calls", Help: "Calls that shared a round trip.", Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		attempts: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "booking_choice_attempts", Help: "Attempts of a reserve-best that held seats. More than one: other buyers were faster.", Buckets: []float64{1, 2, 3, 5, 10},
		}),
		clockJumps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "booking_redis_clock_jumps_total", Help: "Jumps of Redis's clock by a second or more. They end holds early or late.",
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "booking_build_info", Help: "Always 1, with the version as a label.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.inFlight, m.seats, m.roundTrips, m.batchCalls, m.attempts, m.clockJumps, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.flag("booking_ready", "1 if Redis has answered and is configured safely, else 0. An outage of Redis does not change it.", ready)
	m.flag("booking_redis_up", "1 if Redis answers and is configured safely, else 0.", up)
	return m
}

func (m *Metrics) flag(name, help string, is func() bool) {
	m.gauge(name, help, func() float64 {
		if is() {
			return 1
		}
		return 0
	})
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
	next = m.countSeats(function, next)
	next = promhttp.InstrumentHandlerDuration(m.requests.MustCurryWith(prometheus.Labels{"function": function}), next)
	return promhttp.InstrumentHandlerInFlight(m.inFlight.WithLabelValues(function), next)
}

// countSeats counts the seats that calls to next asked seatlock to change.
func (m *Metrics) countSeats(function string, next http.Handler) http.Handler {
	seats := m.seats.MustCurryWith(prometheus.Labels{"call": function})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		call, r := api.Record(r)
		next.ServeHTTP(w, r)
		if call.Outcome != "" {
			seats.WithLabelValues(call.Outcome).Add(float64(len(call.SeatIDs)))
		}
	})
}

// Batch observes how many calls shared a round trip.
func (m *Metrics) Batch(calls int) { m.batchCalls.Observe(float64(calls)) }

// Choice observes the attempts of a reserve-best that held seats.
func (m *Metrics) Choice(attempts int) { m.attempts.Observe(float64(attempts)) }

// ClockJump counts a jump of Redis's clock.
func (m *Metrics) ClockJump() { m.clockJumps.Inc() }

// Clock exposes the offset of Redis's clock from this process's.
func (m *Metrics) Clock(offset func() time.Duration) {
	m.gauge("booking_redis_clock_offset_seconds", "Redis's clock minus this process's. With a cluster: the largest offset of a node.", func() float64 { return offset().Seconds() })
}

// Redis instruments client. queued returns how many calls wait for a round trip, limit
// how many may.
func (m *Metrics) Redis(client redis.UniversalClient, queued func() int, limit int) {
	client.AddHook(hook{m})
	m.registry.MustRegister(redisprometheus.NewCollector("booking", "redis", pipelinePool{client}))
	m.gauge("booking_redis_queued_calls", "Calls that wait for a round trip to Redis.", func() float64 { return float64(queued()) })
	m.gauge("booking_redis_queue_limit", "How many calls may wait. Above this limit calls are answered 503.", func() float64 { return float64(limit) })
}

// Halls exposes the live views of events.
func (m *Metrics) Halls(halls *hall.Halls) {
	m.gauge("booking_views", "Events whose seats this process keeps in memory.", func() float64 { return float64(halls.Stats().Halls) })
	m.gauge("booking_view_seats", "Seats in these views.", func() float64 { return float64(halls.Stats().Seats) })
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "booking_view_reloads_total", Help: "Views that were loaded again, because changes were lost.",
	}, func() float64 { return float64(halls.Stats().Reloads) }))
}

// Streams exposes how many streams of changes are open, and how many may be. It returns a
// function to call when their number changes.
func (m *Metrics) Streams(limit int) (add func(delta int)) {
	open := prometheus.NewGauge(prometheus.GaugeOpts{Name: "booking_streams", Help: "Streams of changes that are open."})
	m.registry.MustRegister(open)
	m.gauge("booking_stream_limit", "How many streams of changes may be open. Above this limit /changes is answered 503.", func() float64 { return float64(limit) })
	return func(delta int) { open.Add(float64(delta)) }
}

// pipelinePool reports the pool of connections for pipelines if client has a separate
// one.
type pipelinePool struct{ client redis.UniversalClient }

func (p pipelinePool) PoolStats() *redis.PoolStats {
	stats := p.client.PoolStats()
	if stats.PipelineStats != nil {
		return (*redis.PoolStats)(stats.PipelineStats)
	}
	return stats
}

// hook measures round trips: of single commands, and of pipelines.
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

// observe observes a round trip. An error that Redis replies with is ok: Redis answered.
func (h hook) observe(start time.Time, err error) {
	result := "ok"
	var reply redis.Error
	if err != nil && !errors.As(err, &reply) {
		result = "error"
	}
	h.m.roundTrips.WithLabelValues(result).Observe(time.Since(start).Seconds())
}
