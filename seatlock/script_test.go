package seatlock

import (
	"io"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestReadTime_FindsTimeOfEachReply(t *testing.T) {
	t.Parallel()
	const now = 1_700_000_000_000
	for _, c := range []struct {
		reply []int64
		want  int64
		err   error
	}{
		{[]int64{now, 2, replyDone, now}, now, nil}, // of reserve.lua and refresh.lua
		{[]int64{replyDone, now}, now, nil},
		{[]int64{replyLate, now}, now, errLate},
		{[]int64{replyConflict, 1, ttlFree}, 0, nil},
		{[]int64{replyLimit, 1, 2}, 0, nil},
		{[]int64{replyStale, now}, now, ErrStalePlan},
		{[]int64{replyDeleting, now}, now, ErrUnknownEvent},
		{[]int64{replyWrongVersion, now}, now, nil},
		{[]int64{replyOther, now, 1, 0}, now, nil},
		{[]int64{replyDone}, 0, errReply},
		{nil, 0, errReply},
	} {
		ints, values := redis.NewIntSliceCmd(t.Context()), redis.NewSliceCmd(t.Context())
		ints.SetVal(c.reply)
		mixed := make([]any, len(c.reply))
		for i, n := range c.reply {
			mixed[i] = n
		}
		values.SetVal(mixed)
		for _, cmd := range []redis.Cmder{ints, values} {
			got, err := buyScript.readTime(cmd)
			require.ErrorIs(t, err, c.err, "%v", c.reply)
			require.Equal(t, c.want, got, "%v", c.reply)
		}
	}
	ran := redis.NewIntCmd(t.Context())
	ran.SetVal(now)
	var none *script
	got, err := none.readTime(ran)
	require.NoError(t, err)
	require.Zero(t, got, "a command that runs no script has no time")
	ran.SetErr(io.EOF)
	_, err = buyScript.readTime(ran)
	require.ErrorIs(t, err, io.EOF)
}
