package seatlock

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCheckReply_RejectsOtherShapes(t *testing.T) {
	t.Parallel()
	for _, good := range [][]int64{{1, 1_000}, {1, 1_000, 2_000}, {0, 1, -1}, {0, 1, 5, 2, -2}, {2, 1, 1, 4}, {3, 1_000, 1}, {7, 1_000}} {
		require.NoError(t, checkReply(good, 2), "%v", good)
	}
	for _, bad := range [][]int64{nil, {}, {1}, {0}, {7, 1, 1}, {8, 1}, {0, 1}, {0, 0, 1}, {0, 3, 1}, {1, 1, 1, 1, 1}, {2, 1}, {3, 1_000}} {
		require.ErrorIs(t, checkReply(bad, 2), errReply, "%v", bad)
	}
}

func TestSplitReply_RejectsOtherShapes(t *testing.T) {
	t.Parallel()
	two := func() []*call { return []*call{{}, {}} }
	calls := two()
	require.NoError(t, splitReply([]int64{1_000, 300, 2, 1, 2_000, 3, 0, 1, -1}, calls))
	require.Equal(t, []int64{1, 2_000}, calls[0].reserve.reply)
	require.Equal(t, []int64{0, 1, -1}, calls[1].reserve.reply)
	for _, bad := range [][]int64{nil, {1_000}, {1_000, 300}, {1_000, 300, 2, 1, 2_000}, {1_000, 300, 2, 1, 2_000, 9, 1}, {1_000, 300, -1, 1}, {1_000, 300, 2, 1, 2_000, 2, 1, 2_000, 9}} {
		require.ErrorIs(t, splitReply(bad, two()), errReply, "%v", bad)
	}
}

func TestClock_ReportsJumpAndFollowsIt(t *testing.T) {
	t.Parallel()
	var c clock
	_, known := c.at(started)
	require.False(t, known)
	require.Zero(t, c.offset())
	at := started.Add
	const epoch = 1_700_000_000_000

	require.Zero(t, c.observe(epoch+1_000, at(time.Second), at(1_200*time.Millisecond)), "the first time is no jump")
	now, known := c.at(at(1_200 * time.Millisecond))
	require.True(t, known)
	require.EqualValues(t, epoch+1_000, now, "never later than the server's clock")
	// A quicker reply narrows the bounds.
	require.Zero(t, c.observe(epoch+2_100, at(2_100*time.Millisecond), at(2_110*time.Millisecond)))
	now, _ = c.at(at(3 * time.Second))
	require.InDelta(t, epoch+3_000, now, 10)
	// A slower one changes nothing.
	require.Zero(t, c.observe(epoch+3_000, at(2_900*time.Millisecond), at(4*time.Second)))
	again, _ := c.at(at(3 * time.Second))
	require.Equal(t, now, again)

	jump := c.observe(epoch+3_000+600_000, at(3*time.Second), at(3*time.Second))
	require.InDelta(t, 10*time.Minute, jump, float64(20*time.Millisecond))
	now, _ = c.at(at(3 * time.Second))
	require.EqualValues(t, epoch+603_000, now)
	jump = c.observe(epoch+4_000, at(4*time.Second), at(4*time.Second))
	require.InDelta(t, -10*time.Minute, jump, float64(20*time.Millisecond))
}

func TestSafetyCheck_PassesForASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s safetyCheck
		require.False(t, s.passedRecently())
		s.record(nil)
		time.Sleep(safetyAge - 1)
		require.True(t, s.passedRecently())
		time.Sleep(time.Nanosecond)
		require.False(t, s.passedRecently())
		s.record(nil)
		s.record(ErrUnsafe)
		require.False(t, s.passedRecently())
	})
}
