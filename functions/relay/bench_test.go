package relay_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/relay"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

// counter is a sink that counts the events that it receives.
func counter(b *testing.B) (url string, events *atomic.Int64) {
	b.Helper()
	events = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			events.Add(int64(strings.Count(string(body), `"specversion"`)))
		}
	}))
	b.Cleanup(server.Close)
	return server.URL, events
}

// await waits until the sink has received n events.
func await(b *testing.B, events *atomic.Int64, n int64) {
	b.Helper()
	require.Eventually(b, func() bool { return events.Load() >= n }, redistest.WaitLimit, time.Millisecond)
}

// BenchmarkRelay sends the changes of one event that wait, signed, to a sink on this machine.
func BenchmarkRelay(b *testing.B) {
	const waiting = 9000
	for _, batch := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			bundle := setup(b, redistest.Server(b), seatlock.Options{})
			bundle.put(b, "gala")
			url, events := counter(b)
			for n := range waiting {
				_, err := bundle.locker.Reserve(b.Context(), "gala", []string{fmt.Sprint("S", n)}, "ann")
				require.NoError(b, err)
			}
			began := time.Now()
			bundle.start(b, relay.Options{Batch: batch, Sink: sinkOptions(b, url)})
			await(b, events, waiting)
			b.ReportMetric(waiting/time.Since(began).Seconds(), "changes/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkRelay_ManyEvents sends one change of each of many events.
func BenchmarkRelay_ManyEvents(b *testing.B) {
	const many = 1000
	bundle := setup(b, redistest.Server(b), seatlock.Options{})
	url, events := counter(b)
	for n := range many {
		bundle.put(b, fmt.Sprint("event-", n))
	}
	p := bundle.start(b, relay.Options{Sink: sinkOptions(b, url)})
	require.Eventually(b, func() bool { return p.relay.Stats().Events == many }, redistest.WaitLimit, time.Millisecond)
	began := time.Now()
	for n := range many {
		_, err := bundle.locker.Reserve(b.Context(), fmt.Sprint("event-", n), []string{"1A"}, "ann")
		require.NoError(b, err)
	}
	await(b, events, many)
	b.ReportMetric(many/time.Since(began).Seconds(), "changes/s")
	b.ReportMetric(0, "ns/op")
}
