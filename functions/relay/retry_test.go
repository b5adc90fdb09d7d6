package relay_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/relay"
	"booking/seatlock"
)

func TestRelay_RetriesWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]answer{
		"ServerError": {status: http.StatusInternalServerError},
		"BadRequest":  {status: http.StatusBadRequest},
		"Redirect":    {status: http.StatusFound, header: http.Header{"Location": {"https://other.example.com"}}},
		"Hangs":       {hang: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				source, out := newFakeSource(), &fakeSink{answer: broken}
				source.add("1A")
				r, stop := run(t, source, out)
				time.Sleep(time.Hour)
				gaps := out.gaps()
				require.Greater(t, len(gaps), 40)
				for i, gap := range gaps {
					most := min(500*time.Millisecond<<min(i, 10), time.Minute)
					if broken.hang {
						most += 10 * time.Second
					}
					require.GreaterOrEqual(t, gap, most/2, "retry %d", i)
					require.LessOrEqual(t, gap, most+time.Second, "retry %d", i)
				}
				stats := r.Stats()
				require.InDelta(t, len(gaps), stats.Failures, 1, "one may be in flight")
				require.Equal(t, 1, stats.Unsent)
				require.InDelta(t, time.Hour, stats.Lag, float64(10*time.Second))
				require.Zero(t, out.count())

				out.set(answer{})
				time.Sleep(2 * time.Minute)
				require.Equal(t, []string{"booking.seats.sold " + source.entries[0].ID}, out.all())
				require.Equal(t, relay.Stats{Events: 1, Sent: 1, Failures: r.Stats().Failures}, r.Stats())
				stop()
			})
		})
	}
}

func TestRelay_ObeysRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for value, want := range map[string]time.Duration{
			"90": 90 * time.Second, "in 45 minutes": 45 * time.Minute, "1000000": time.Hour, "0": 0, "soon": 0, "-5": 0,
		} {
			if value == "in 45 minutes" {
				value = time.Now().Add(want).UTC().Format(http.TimeFormat)
			}
			source := newFakeSource()
			source.add("1A")
			out := &fakeSink{answer: answer{status: http.StatusTooManyRequests, header: http.Header{"Retry-After": {value}}}}
			_, stop := run(t, source, out)
			synctest.Wait()
			began := time.Now()
			out.set(answer{})
			for out.count() == 0 {
				time.Sleep(100 * time.Millisecond)
			}
			require.InDelta(t, want, time.Since(began), float64(2*time.Second), value)
			stop()
		}
	})
}

// The sink wants no more of an event. The relay goes on when the event is put again.
func TestRelay_StopsAtGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, out := newFakeSource(), &fakeSink{answer: answer{status: http.StatusGone}}
		source.add("1A")
		r, stop := run(t, source, out)
		time.Sleep(time.Hour)
		require.Empty(t, out.gaps(), "one request")
		require.Equal(t, 1, r.Stats().Stopped)
		require.InDelta(t, time.Hour, r.Stats().Lag, float64(time.Minute))

		out.set(answer{})
		source.set(func() { source.version++ })
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, out.count())
		require.Zero(t, r.Stats().Stopped)
		stop()
	})
}

// A relay that is started again asks the sink again.
func TestRelay_GoesOnAfterGoneWhenRestarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, out := newFakeSource(), &fakeSink{answer: answer{status: http.StatusGone}}
		source.add("1A")
		_, stop := run(t, source, out)
		time.Sleep(time.Minute)
		stop()
		out.set(answer{})
		_, stop = run(t, source, out)
		time.Sleep(time.Second)
		require.Equal(t, 1, out.count())
		stop()
	})
}

func TestRelay_TellsOfLostChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, out := newFakeSource(), &fakeSink{}
		source.add("1A")
		source.add("1B")
		source.trimmed = 1
		r, stop := run(t, source, out)
		time.Sleep(time.Second)
		source.add("1C")
		time.Sleep(5 * time.Second)
		last := source.entries[1].ID
		require.Equal(t, []string{"booking.seats.reset reset:0-0:" + last, "booking.seats.sold " + source.entries[2].ID}, out.all())
		require.EqualValues(t, 1, r.Stats().Resets)
		stop()
	})
}

// One relay sends. When it is gone without a word, the other one takes over within 15 s.
func TestRelay_TakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, hanging, out := newFakeSource(), &fakeSink{answer: answer{hang: true}}, &fakeSink{}
		source.add("1A")
		first, stopFirst := run(t, source, hanging)
		synctest.Wait()
		second, stopSecond := run(t, source, out)
		time.Sleep(5 * time.Minute)
		require.Zero(t, out.count(), "the first one has the lease, though its sink hangs")
		require.Positive(t, first.Stats().Lag)
		require.Zero(t, second.Stats().Lag)

		source.set(func() { source.owner = &fakeLease{} }) // the first one is gone: it renews the lease no more
		stopFirst()
		require.Zero(t, out.count())
		time.Sleep(15 * time.Second)
		require.Equal(t, 1, out.count())
		stopSecond()
	})
}

// A relay that stops gives the lease back, so the other one need not wait until it ends.
func TestRelay_GivesLeaseBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newFakeSource()
		source.add("1A")
		_, stop := run(t, source, &fakeSink{answer: answer{hang: true}})
		synctest.Wait()
		source.set(func() { require.True(t, time.Now().Before(source.ends)) })
		stop()
		require.True(t, source.ends.IsZero())
	})
}

// No request outlasts its lease: then another process may send.
func TestRelay_EndsRequestsWithinLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newFakeSource()
		for range 50 {
			source.add("1A")
		}
		out := &slowSink{source: source, t: t}
		_, stop := run(t, source, out)
		time.Sleep(10 * time.Minute)
		require.Equal(t, 50, out.count())
		stop()
	})
}

// slowSink takes 7 s for each request.
type slowSink struct {
	fakeSink
	t      *testing.T
	source *fakeSource
}

func (s *slowSink) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(7 * time.Second)
	s.source.set(func() {
		if s.source.ends.Before(time.Now()) {
			s.t.Errorf("a request lasted longer than the lease")
		}
	})
	return s.fakeSink.RoundTrip(r)
}

func TestRelay_EndsWithDeletedEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, out := newFakeSource(), &fakeSink{}
		source.add("1A")
		r, stop := run(t, source, out)
		time.Sleep(time.Second)
		source.set(func() { source.deleted = true })
		time.Sleep(10 * time.Second)
		require.Zero(t, r.Stats().Events)
		source.set(func() { source.deleted, source.entries, source.cursor = false, []seatlock.Entry{}, "" })
		time.Sleep(time.Second)
		require.Equal(t, 1, r.Stats().Events)
		stop()
	})
}
