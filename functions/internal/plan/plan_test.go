package plan_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/plan"
)

func TestPlan_ZeroHasEverySeat(t *testing.T) {
	t.Parallel()
	for _, p := range []*plan.Plan{nil, {}} {
		require.True(t, p.Has("any"))
		require.Zero(t, p.Len())
		require.Nil(t, p.Rows())
		require.Nil(t, p.Categories())
		for range p.Seats() {
			require.Fail(t, "the seats of a plan that has every seat have no end")
		}
	}
}

func TestPlan_SeatsEndWhenTheReaderDoes(t *testing.T) {
	t.Parallel()
	p, err := parseShort(t, "A:1-2").WithAreas([]plan.Area{{ID: "FLOOR", Capacity: 2}})
	require.NoError(t, err)
	for most := 1; most <= 4; most++ {
		n := 0
		for range p.Seats() {
			if n++; n == most {
				break
			}
		}
		require.Equal(t, most, n)
	}
}

func TestPlan_ReturnsCopies(t *testing.T) {
	t.Parallel()
	p := parse(t, `{"categories":[{"name":"A"}],"zones":[{"rows":[{"seats":[{"seat_guid":"1"}]}]}]}`)
	p.Categories()[0].Name = "B"
	p.Rows()[0].SeatIDs[0] = "2"
	require.Equal(t, "A", p.Categories()[0].Name)
	require.Equal(t, "1", p.Rows()[0].SeatIDs[0])
}

func TestHas_AllocatesNothing(t *testing.T) { // not parallel: it counts all allocations
	p, err := parse(t, string(arena())).WithAreas([]plan.Area{{ID: "FLOOR", Capacity: 1000}})
	require.NoError(t, err)
	for _, id := range []string{"7-12-30", "7-12-31", "FLOOR.1000", "FLOOR.1001", "FLOOR.x"} {
		require.Zero(t, testing.AllocsPerRun(100, func() { p.Has(id) }), id)
	}
}
