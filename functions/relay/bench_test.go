package relay_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
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

// redisTime returns how long Redis has used a CPU, in seconds.
func (b *testBundle) redisTime(t testing.TB) (seconds float64) {
	t.Helper()
	info := b.redis.InfoMap(t.Context(), "cpu")
	require.NoError(t, info.Err())
	for _, name := range []string{"used_cpu_user", "used_cpu_sys"} {
		used, err := strconv.ParseFloat(info.Item("CPU", name), 64)
		require.NoError(t, err)
		seconds += used
	}
	return seconds
}

// BenchmarkRelay_Win reserves and buys seats of one event, 64 at once, with and without a relay that
// sends the changes on the same machine.
func BenchmarkRelay_Win(b *testing.B) {
	for _, relayed := range []bool{false, true} {
		b.Run(fmt.Sprint("relay=", relayed), func(b *testing.B) {
			bundle := setup(b, redistest.Server(b), seatlock.Options{})
			bundle.put(b, "gala")
			url, events := counter(b)
			if relayed {
				bundle.start(b, relay.Options{Batch: 100, Sink: sinkOptions(b, url)})
			}
			var seats atomic.Int64
			before := bundle.redisTime(b)
			b.SetParallelism(32)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					seat := []string{fmt.Sprint("S", seats.Add(1))}
					_, err := bundle.locker.Reserve(b.Context(), "gala", seat, "ann")
					if err == nil {
						err = bundle.locker.Buy(b.Context(), "gala", seat, "ann")
					}
					if err != nil {
						b.Error(err)
					}
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "wins/s")
			b.ReportMetric((bundle.redisTime(b)-before)/float64(b.N)*1e6, "redis-µs/win")
			if relayed {
				await(b, events, 1)
			}
		})
	}
}
