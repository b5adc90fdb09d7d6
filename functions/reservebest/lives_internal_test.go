package reservebest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/hall"
	"booking/functions/internal/plan"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

func newLives(t *testing.T, r *redistest.Redis) *lives {
	t.Helper()
	locker, err := seatlock.New(r.Client(t), seatlock.Options{Timeout: time.Minute})
	require.NoError(t, err)
	return &lives{halls: hall.New(locker), events: map[string]*live{}}
}

// The indexes of a process have a limit, whatever events its callers name. One in use stays.
func TestLives_LimitTheirSeats(t *testing.T) {
	t.Parallel()
	ls := newLives(t, redistest.Mini(t))
	p, err := (*plan.Plan)(nil).WithAreas([]plan.Area{{ID: "floor", Capacity: 100_000}})
	require.NoError(t, err)
	used, err := ls.acquire(t.Context(), "used", p)
	require.NoError(t, err)
	for i := range 3 * maxSeats / p.Len() {
		l, err := ls.acquire(t.Context(), fmt.Sprint("event", i), p)
		require.NoError(t, err)
		ls.release(l)
		require.LessOrEqual(t, ls.seats, maxSeats)
		require.Equal(t, ls.seats, len(ls.events)*p.Len())
	}
	require.Same(t, used, ls.events["used"])

	other, err := (*plan.Plan)(nil).WithAreas([]plan.Area{{ID: "floor", Capacity: 10}})
	require.NoError(t, err)
	replaced, err := ls.acquire(t.Context(), "used", other)
	require.NoError(t, err)
	require.NotSame(t, used, replaced)
	ls.release(used)
	require.Same(t, replaced, ls.events["used"], "the end of the last call of an old plan")
	ls.release(replaced)
}

// A call whose caller goes away leaves no index that is in use, and no defect.
func TestLives_ForgetACallerThatGoesAway(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	ls := newLives(t, r)
	p, err := plan.ParseShort("1-2:A-B")
	require.NoError(t, err)
	r.Pause(t) // so the index does not open
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = ls.acquire(ctx, "gala", p)
	require.ErrorIs(t, err, context.Canceled)
	ls.mu.Lock()
	require.Zero(t, ls.events["gala"].users)
	ls.remove(ls.events["gala"])
	require.Empty(t, ls.events)
	ls.mu.Unlock()
	r.Resume(t)
	l, err := ls.acquire(t.Context(), "gala", p)
	require.NoError(t, err)
	ls.release(l)
}
