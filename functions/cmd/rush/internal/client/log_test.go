package client

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock/oracle"
)

func call(op oracle.Op, outcome oracle.Outcome, due, sent, answered time.Duration) Call {
	return Call{Call: oracle.Call{Op: op, Outcome: outcome, Sent: sent, Answered: answered}, Due: due, Status: 200}
}

// A call that was sent late, because the service blocked the sender, counts as slow.
func TestLog_CountsLatencyFromDue(t *testing.T) {
	t.Parallel()
	l := newLog()
	l.add(call(oracle.Buy, oracle.Done, time.Second, 3*time.Second, 3*time.Second+time.Millisecond))
	require.Equal(t, 2001*time.Millisecond, l.Calls()[0].Latency())
	require.InDelta(t, 2001, float64(l.Window().P50.Milliseconds()), 2)
	require.Zero(t, l.Window().Calls, "the previous Window reset it")
}

func TestByAnswer_SeparatesDoneFromRefused(t *testing.T) {
	t.Parallel()
	calls := []Call{
		call(oracle.Buy, oracle.Done, 0, 0, time.Millisecond),
		call(oracle.Reserve, oracle.Refused, 0, 0, 2*time.Millisecond),
		call(oracle.Reserve, oracle.Done, 0, 0, 1500*time.Millisecond),
		call(SeatMap, oracle.Done, 0, 0, 3*time.Millisecond),
	}
	got := ByAnswer(calls)
	require.Len(t, got, 4)
	require.Equal(t, SeatMap, got[0].Op)
	require.Equal(t, oracle.Done, got[1].Answer)
	require.InDelta(t, 1500, float64(got[1].Max.Milliseconds()), 2)
	require.Equal(t, oracle.Refused, got[2].Answer)
	require.Equal(t, oracle.Buy, got[3].Op)

	seconds := BySecond(calls)
	require.Len(t, seconds, 2)
	require.Equal(t, 3, seconds[0].Count)
	require.Equal(t, map[oracle.Outcome]int{oracle.Done: 1}, seconds[1].Answers)
}

func TestCall_AnswerIsUnexpected(t *testing.T) {
	t.Parallel()
	c := call(oracle.Buy, oracle.NotRun, 0, 0, 1)
	c.Status = 422
	require.Equal(t, Unexpected, c.Answer())
	for _, status := range []int{503, 0} { // unavailable, or no connection
		c.Status = status
		require.Equal(t, oracle.NotRun, c.Answer())
	}
}
