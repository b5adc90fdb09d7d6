package metrics_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/metrics"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

func TestEvents_CountSeatsByStatus(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		locker, err := seatlock.New(r.Client(t), seatlock.Options{Timeout: time.Minute})
		require.NoError(t, err)
		m := metrics.New("v7", func() bool { return true }, func() bool { return true })
		m.Events(locker)
		for i := range 60 {
			_, _, err := locker.PutEvent(t.Context(), fmt.Sprintf("e%02d", i), seatlock.Put{})
			require.NoError(t, err)
		}
		_, err = locker.Reserve(t.Context(), "e07", []string{"1A", "1B", "1C"}, "ann")
		require.NoError(t, err)
		require.NoError(t, locker.Buy(t.Context(), "e07", []string{"1A"}, "ann"))
		require.NoError(t, locker.Block(t.Context(), "e07", []string{"2A"}, "house", seatlock.Terms{}))
		requireValues(t, m, map[string]string{
			`booking_event_seats{event="e07",status="Reserved"}`: "2",
			`booking_event_seats{event="e07",status="Sold"}`:     "1",
			`booking_event_seats{event="e07",status="Blocked"}`:  "1",
			`booking_event_seats{event="e49",status="Sold"}`:     "0",
		})
		count := 0
		for name := range scrape(t, m) {
			if strings.HasPrefix(name, "booking_event_seats") {
				count++
			}
		}
		require.Equal(t, 3*50, count)
	})
}

func TestEvents_HaveNoMetricsDuringOutage(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	locker, err := seatlock.New(r.Client(t), seatlock.Options{Timeout: time.Second})
	require.NoError(t, err)
	m := metrics.New("v7", func() bool { return true }, func() bool { return true })
	m.Events(locker)
	r.Mini.Close()
	require.NotContains(t, strings.Join(keys(scrape(t, m)), "\n"), "booking_event_seats")
}

func keys(values map[string]string) (names []string) {
	for name := range values {
		names = append(names, name)
	}
	return names
}
