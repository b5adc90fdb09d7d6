package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"booking/seatlock"
)

const (
	// maxEvents is how many events have metrics: the first ones, in the order of their IDs.
	maxEvents = 50
	// eventsTimeout limits how long a scrape waits for Redis.
	eventsTimeout = time.Second
)

// EventLocker is the part of seatlock.Locker that Events uses.
type EventLocker interface {
	Events(ctx context.Context, after string, limit int) ([]string, error)
	Counts(ctx context.Context, events []string) ([]seatlock.Counts, error)
}

// eventCollector reads the seats of events at each scrape.
type eventCollector struct {
	locker EventLocker
	seats  *prometheus.Desc
}

// Events exposes the seats of the events that were put, by status. If Redis does not answer,
// a scrape has none.
func (m *Metrics) Events(locker EventLocker) {
	m.registry.MustRegister(eventCollector{locker, prometheus.NewDesc("booking_event_seats",
		"Seats that are not available, of the first 50 events that were put. A seat that is blocked and held or sold counts twice.", []string{"event", "status"}, nil)})
}

// Describe implements prometheus.Collector.
func (c eventCollector) Describe(descs chan<- *prometheus.Desc) { descs <- c.seats }

// Collect implements prometheus.Collector.
func (c eventCollector) Collect(values chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), eventsTimeout)
	defer cancel()
	events, err := c.locker.Events(ctx, "", maxEvents)
	if err != nil {
		return
	}
	counts, err := c.locker.Counts(ctx, events)
	if err != nil {
		return
	}
	for i, event := range events {
		for status, n := range map[seatlock.Status]int{seatlock.Reserved: counts[i].Held, seatlock.Sold: counts[i].Sold, seatlock.Blocked: counts[i].Blocked} {
			values <- prometheus.MustNewConstMetric(c.seats, prometheus.GaugeValue, float64(n), event, status.String())
		}
	}
}
