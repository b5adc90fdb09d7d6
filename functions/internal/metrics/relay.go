package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// RelayStats are the numbers of the relay of the process.
type RelayStats struct {
	Events   int           // that it follows
	Stopped  int           // of these: how many wait, because the sink answered 410
	Unsent   int           // changes that were read and wait
	Lag      time.Duration // how long the oldest of them has waited
	Sent     int64         // events of CloudEvents that the sink received
	Failures int64         // requests that failed
	Resets   int64         // how often changes were lost before they were sent
}

// Relay exposes the numbers of a relay.
func (m *Metrics) Relay(stats func() RelayStats) {
	m.gauge("booking_relay_events", "Events that the relay follows.", func() float64 { return float64(stats().Events) })
	m.gauge("booking_relay_stopped_events", "Events that the relay sends no more, because the sink answered 410.", func() float64 { return float64(stats().Stopped) })
	m.gauge("booking_relay_unsent_changes", "Changes that the relay has read and not sent yet, a page of each event at most.", func() float64 { return float64(stats().Unsent) })
	m.gauge("booking_relay_lag_seconds", "How long the oldest change that was not sent has waited.", func() float64 { return stats().Lag.Seconds() })
	for _, counter := range []struct {
		name, help string
		value      func(RelayStats) int64
	}{
		{"booking_relay_sent_total", "Changes that the sink received from this process.", func(s RelayStats) int64 { return s.Sent }},
		{"booking_relay_failures_total", "Requests to the sink that failed.", func(s RelayStats) int64 { return s.Failures }},
		{"booking_relay_resets_total", "How often changes were lost before they were sent, so that the sink was sent booking.seats.reset.", func(s RelayStats) int64 { return s.Resets }},
	} {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: counter.name, Help: counter.help}, func() float64 { return float64(counter.value(stats())) }))
	}
}
