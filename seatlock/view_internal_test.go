package seatlock

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest"
)

func TestView_ComparesPageOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var v View
		require.GreaterOrEqual(t, v.page(), int32(0))
		for range 2 {
			require.EqualValues(t, -1, v.page())
			time.Sleep(compareInterval - 1)
			require.EqualValues(t, -1, v.page())
			time.Sleep(time.Nanosecond)
			require.GreaterOrEqual(t, v.page(), int32(0))
		}
	})
}

// An operator removed a seat from the index. The View notices it by the number of seats.
func TestView_LoadsAgainOnceInRepairInterval(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	l, err := New(r.Client(t), Options{Timeout: time.Minute})
	require.NoError(t, err)
	_, err = l.Reserve(t.Context(), "gala", []string{"1A", "1B"}, "ann")
	require.NoError(t, err)
	v, err := l.NewView("gala")
	require.NoError(t, err)
	_, err = v.Refresh(t.Context())
	require.NoError(t, err)
	require.NoError(t, r.Admin(t).ZRem(t.Context(), "seats:{gala}", "1A").Err())

	v.repaired = time.Now().Add(time.Hour) // less than the interval ago, however slow the test is
	update, err := v.Refresh(t.Context())
	require.NoError(t, err)
	require.False(t, update.Reset)
	require.Equal(t, 2, v.Len())
	before := time.Now().Add(-repairInterval)
	v.repaired = before
	update, err = v.Refresh(t.Context())
	require.NoError(t, err)
	require.True(t, update.Reset)
	require.Equal(t, 1, v.Len())
	require.True(t, v.repaired.After(before), "the interval begins again")
}
