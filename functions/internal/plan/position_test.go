package plan_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/plan"
)

func TestPosition_IsTheOrderOfSeats(t *testing.T) {
	t.Parallel()
	areas := []plan.Area{{ID: "FLOOR", Capacity: 12}, {ID: "LAWN", Capacity: 1}}
	p, err := parseShort(t, "1-3:A-D").WithAreas(areas)
	require.NoError(t, err)
	want := 0
	for seat := range p.Seats() {
		n, found := p.Position(seat.ID)
		require.True(t, found, seat.ID)
		require.Equal(t, want, n, seat.ID)
		require.Equal(t, seat.ID, p.ID(n))
		want++
	}
	require.Equal(t, want, p.Len())
	require.Equal(t, areas, p.Areas())
	for _, none := range []string{"4A", "FLOOR.13", "FLOOR.0", "FLOOR", "LAWN.2", ""} {
		_, found := p.Position(none)
		require.False(t, found, none)
	}
	require.Panics(t, func() { p.ID(p.Len()) })
}

func TestPosition_NoneInAPlanOfEverySeat(t *testing.T) {
	t.Parallel()
	for _, p := range []*plan.Plan{nil, {}} {
		_, found := p.Position("1A")
		require.False(t, found)
		require.Nil(t, p.Areas())
		require.Panics(t, func() { p.ID(0) })
	}
}

func TestPosition_AllocatesNothing(t *testing.T) { // not parallel: it counts all allocations
	p, err := parse(t, string(arena())).WithAreas([]plan.Area{{ID: "FLOOR", Capacity: 1000}})
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		p.Position("7-12-30")
		p.Position("FLOOR.1000")
		p.ID(17)
	}))
}
