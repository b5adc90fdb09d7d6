package seatlock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// refreshReply returns a reply of lua/refresh.lua with one change.
func refreshReply() []any {
	entry := []any{"7-9", []any{"type", "held", "seats", "1A 1B", "deadline", "1700000300000"}}
	return []any{int64(1_700_000_000_000), "7-9", int64(3), int64(1), int64(500), int64(4), int64(300_000), []any{entry}}
}

func TestParseRefreshed_ReadsEachValue(t *testing.T) {
	t.Parallel()
	r, err := parseRefreshed(refreshReply())
	require.NoError(t, err)
	require.Equal(t, refreshed{
		at: time.UnixMilli(1_700_000_000_000).UTC(), last: "7-9", size: 3, lapsed: 1, nextExpiry: 500 * time.Millisecond, blocked: 4, holdTime: 300_000,
		changes: []Change{{ID: "7-9", Type: ChangeHeld, SeatIDs: []string{"1A", "1B"}, Deadline: time.UnixMilli(1_700_000_300_000).UTC()}},
	}, r)
	require.False(t, r.more())
	r.last = "7-10"
	require.True(t, r.more())

	lost := refreshReply()
	lost[7] = nil
	r, err = parseRefreshed(lost)
	require.NoError(t, err)
	require.Nil(t, r.changes, "Redis does not have the position")
	require.False(t, r.more())
	empty := refreshReply()
	empty[7] = []any{}
	r, err = parseRefreshed(empty)
	require.NoError(t, err)
	require.NotNil(t, r.changes)
}

func TestParseRefreshed_RejectsOtherShapes(t *testing.T) {
	t.Parallel()
	for place := range 7 {
		reply := refreshReply()
		reply[place] = []any{}
		_, err := parseRefreshed(reply)
		require.ErrorIs(t, err, errReply, "value %d", place)
	}
	for _, entries := range [][]any{{"7-9"}, {[]any{"7-9"}}, {[]any{"7-9", []any{}, nil}}} {
		reply := refreshReply()
		reply[7] = entries
		_, err := parseRefreshed(reply)
		require.ErrorIs(t, err, errReply, "%v", entries)
	}
	for _, reply := range [][]any{nil, refreshReply()[:7], append(refreshReply(), int64(0))} {
		_, err := parseRefreshed(reply)
		require.ErrorIs(t, err, errReply, "%v", reply)
	}
}

func TestParseScore_ReadsDeadlines(t *testing.T) {
	t.Parallel()
	for score, want := range map[string]int64{"inf": soldDeadline, "1700000300000": 1_700_000_300_000, "1.7000003e+12": 1_700_000_300_000} {
		deadline, err := parseScore(score)
		require.NoError(t, err)
		require.Equal(t, want, deadline, score)
	}
	_, err := parseScore("soon")
	require.Error(t, err)
}
