package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock/oracle"
)

func call(op oracle.Op, outcome oracle.Outcome, due, sent, answered time.Duration) Call {
	return Call{Call: oracle.Call{Op: op, Outcome: outcome, Sent: sent, Answered: answered}, Due: due, Status: 200}
}

// A request that was sent late because the service held up the sender counts as slow.
func TestLatencyCountsFromWhenARequestWasDue(t *testing.T) {
	t.Parallel()
	l := New()
	l.Add(call(oracle.Buy, oracle.Done, time.Second, 3*time.Second, 3*time.Second+time.Millisecond))
	require.Equal(t, 2001*time.Millisecond, l.Calls()[0].Latency())
	require.InDelta(t, 2001, float64(l.Window().P50.Milliseconds()), 2)
	require.Zero(t, l.Window().Requests, "each window begins anew")
}

func TestWinnersAreToldFromLosers(t *testing.T) {
	t.Parallel()
	calls := []Call{
		call(oracle.Buy, oracle.Done, 0, 0, time.Millisecond),
		call(oracle.Reserve, oracle.Refused, 0, 0, 2*time.Millisecond),
		call(oracle.Reserve, oracle.Done, 0, 0, 1500*time.Millisecond),
		call(Look, oracle.Done, 0, 0, 3*time.Millisecond),
	}
	got := Latencies(calls)
	require.Len(t, got, 4)
	require.Equal(t, Look, got[0].Op)
	require.Equal(t, oracle.Done, got[1].Outcome)
	require.InDelta(t, 1500, float64(got[1].Max.Milliseconds()), 2)
	require.Equal(t, oracle.Refused, got[2].Outcome)
	require.Equal(t, oracle.Buy, got[3].Op)

	seconds := Seconds(calls)
	require.Len(t, seconds, 2)
	require.Equal(t, 3, seconds[0].Count)
	require.Equal(t, map[oracle.Outcome]int{oracle.Done: 1}, seconds[1].Outcomes)
}

func TestAnAnswerThatNoBuyerShouldGetIsUnexpected(t *testing.T) {
	t.Parallel()
	c := call(oracle.Buy, oracle.NotRun, 0, 0, 1)
	c.Status = 422
	require.Equal(t, Unexpected, c.Kind())
	for _, status := range []int{503, 0} { // the service's word, or nobody there
		c.Status = status
		require.Equal(t, oracle.NotRun, c.Kind())
	}
}
