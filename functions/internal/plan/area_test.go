package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"booking/functions/internal/plan"
)

func TestWithAreas_AddsPlaces(t *testing.T) {
	t.Parallel()
	drawn := parse(t, `{"categories":[{"name":"Box","color":"red"}],"zones":[{"rows":[{"seats":[{"seat_guid":"A-1","category":"Box"}]}]}]}`)
	p, err := drawn.WithAreas([]plan.Area{{ID: "FLOOR", Capacity: 2, Category: "Standing"}, {ID: "LAWN", Capacity: 1}})
	require.NoError(t, err)
	requireSound(t, p)
	require.Equal(t, []plan.Seat{
		{ID: "A-1", Category: "Box"},
		{ID: "FLOOR.1", Number: "1", Category: "Standing", Area: "FLOOR"},
		{ID: "FLOOR.2", Number: "2", Category: "Standing", Area: "FLOOR"},
		{ID: "LAWN.1", Number: "1", Area: "LAWN"},
	}, slices.Collect(p.Seats()))
	require.Equal(t, 4, p.Len())
	require.Equal(t, []plan.Category{{"Box", "red"}, {Name: "Standing"}}, p.Categories())
	require.Equal(t, []plan.Row{{SeatIDs: []string{"A-1"}}}, p.Rows(), "an area has no rows")
	for _, none := range []string{"FLOOR", "FLOOR.", "FLOOR.0", "FLOOR.3", "FLOOR.01", "FLOOR.+1", "FLOOR.1x", "FLOOR.1.", ".1", "LAWN.2", "FLOOR.99999999999999999999"} {
		require.False(t, p.Has(none), none)
	}
	require.Equal(t, 1, drawn.Len(), "the plan without areas does not change")
	require.False(t, drawn.Has("FLOOR.1"))
}

func TestWithAreas_AddsToEarlierOnes(t *testing.T) {
	t.Parallel()
	one, err := (*plan.Plan)(nil).WithAreas([]plan.Area{{ID: "A", Capacity: 1, Category: "C"}})
	require.NoError(t, err)
	two, err := one.WithAreas([]plan.Area{{ID: "B", Capacity: 2, Category: "C"}})
	require.NoError(t, err)
	require.Equal(t, 3, two.Len())
	require.Equal(t, []plan.Category{{Name: "C"}}, two.Categories())
	require.False(t, one.Has("B.1"))
	_, err = two.WithAreas([]plan.Area{{ID: "C", Capacity: 1}, {ID: "A", Capacity: 1}})
	requireFault(t, err, `areas[1].area_id: is "A", which is another area's; want an id of its own`)
}

func TestWithAreas_AreAllSeatsOfAnEventWithoutPlan(t *testing.T) {
	t.Parallel()
	for _, none := range []*plan.Plan{nil, {}} {
		p, err := none.WithAreas([]plan.Area{{ID: "FLOOR", Capacity: plan.MaxSeats}})
		require.NoError(t, err)
		require.True(t, p.Has("FLOOR.100000"))
		require.False(t, p.Has("A-1"))
		require.Empty(t, p.Rows())
		require.Equal(t, plan.MaxSeats, p.Len())

		p, err = none.WithAreas(nil)
		require.NoError(t, err)
		require.True(t, p.Has("A-1"))
	}
}

func TestWithAreas_NamesTheFault(t *testing.T) {
	t.Parallel()
	const drawn = `{"zones":[{"rows":[{"seats":[{"seat_guid":"HILL.1"},{"seat_guid":"FLOOR.5"},{"seat_guid":"FLOOR.06"},{"seat_guid":"FLOOR"},{"seat_guid":"FLOOR.7.1"}]}]}]}`
	long := strings.Repeat("x", 61)
	for _, test := range []struct {
		areas []plan.Area
		want  string
	}{
		{[]plan.Area{{ID: "", Capacity: 1}}, `areas[0].area_id: is ""; want 1 to 64 characters of A-Z a-z 0-9 . _ : -`},
		{[]plan.Area{{ID: "A B", Capacity: 1}}, `areas[0].area_id: is "A B"; want 1 to 64 characters of A-Z a-z 0-9 . _ : -`},
		{[]plan.Area{{ID: "A", Capacity: 1}, {ID: "A", Capacity: 1}}, `areas[1].area_id: is "A", which is another area's; want an id of its own`},
		{[]plan.Area{{ID: "A", Capacity: 0}}, `areas[0].capacity: is 0; want 1 to 100000`},
		{[]plan.Area{{ID: "A", Capacity: -1}}, `areas[0].capacity: is -1; want 1 to 100000`},
		{[]plan.Area{{ID: "A", Capacity: 100_001}}, `areas[0].capacity: is 100001; want 1 to 100000`},
		{[]plan.Area{{ID: long, Capacity: 100}}, `areas[0].area_id: has 61 characters, so the id of its last place has 65; want at most 60`},
		{[]plan.Area{{ID: "A", Capacity: 99_000}, {ID: "B", Capacity: 996}}, `areas[1].capacity: is 996, so the event has 100001 seats; want at most 100000 in all`},
		{[]plan.Area{{ID: "A", Capacity: 1}, {ID: "FLOOR", Capacity: 6}}, `areas[1].area_id: has places that are drawn as seats: FLOOR.5; want another area_id`},
		{[]plan.Area{{ID: "FLOOR", Capacity: 5}, {ID: "HILL", Capacity: 1}}, `areas[1].area_id: has places that are drawn as seats: HILL.1; want another area_id`},
	} {
		p, err := parse(t, drawn).WithAreas(test.areas)
		require.Nil(t, p)
		requireFault(t, err, test.want)
	}
	p, err := parse(t, drawn).WithAreas([]plan.Area{{ID: "FLOOR", Capacity: 4}, {ID: long, Capacity: 99}})
	require.NoError(t, err)
	requireSound(t, p)
}

func TestWithAreas_ShowsFiveDrawnPlacesAndTheNumberOfOthers(t *testing.T) {
	t.Parallel()
	_, err := parseShort(t, "FLOOR.{1-8}").WithAreas([]plan.Area{{ID: "FLOOR", Capacity: 100}})
	requireFault(t, err, `areas[0].area_id: has places that are drawn as seats: FLOOR.1, FLOOR.2, FLOOR.3, FLOOR.4, FLOOR.5 and 3 more; want another area_id`)
}

func TestWithAreas_RefusesAPlanWithNothingToSell(t *testing.T) {
	t.Parallel()
	drawing := parse(t, `{"zones":[{"areas":[{"text":"Lawn"}]}]}`)
	require.False(t, drawing.Has("any"))
	_, err := drawing.WithAreas(nil)
	requireFault(t, err, "plan: has no seats; want rows of seats in its zones, or areas")
	p, err := drawing.WithAreas([]plan.Area{{ID: "LAWN", Capacity: 3}})
	require.NoError(t, err)
	require.Equal(t, 3, p.Len())
}

// An area has the places 1 to its capacity and no others, whatever its id is.
func TestWithAreas_HasEachPlaceOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[A.1]{1,4}`), 1, 4, rapid.ID).Draw(t, "ids")
		var areas []plan.Area
		want := map[string]bool{}
		for _, id := range ids {
			areas = append(areas, plan.Area{ID: id, Capacity: rapid.IntRange(1, 30).Draw(t, "capacity")})
			for n := range areas[len(areas)-1].Capacity {
				want[fmt.Sprintf("%s.%d", id, n+1)] = true
			}
		}
		p, err := (*plan.Plan)(nil).WithAreas(areas)
		require.NoError(t, err)
		got := map[string]bool{}
		for seat := range p.Seats() {
			require.True(t, p.Has(seat.ID))
			got[seat.ID] = true
		}
		require.Equal(t, want, got)
		require.Equal(t, len(want), p.Len())
		id := rapid.StringMatching(`[A.1]{1,4}\.[0-9]{1,3}`).Draw(t, "id")
		require.Equal(t, want[id], p.Has(id), id)
	})
}

// Only the ids that Seats returns are places, so that no place has two.
func TestWithAreas_HasNoOtherPlaces(t *testing.T) {
	t.Parallel()
	p, err := (*plan.Plan)(nil).WithAreas([]plan.Area{{ID: "FLOOR", Capacity: 12}, {ID: "PIT", Capacity: 3}})
	require.NoError(t, err)
	for _, id := range []string{"FLOOR.1", "FLOOR.9", "FLOOR.10", "FLOOR.12", "PIT.3"} {
		require.True(t, p.Has(id), id)
	}
	for _, id := range []string{"FLOOR", "FLOOR.", "FLOOR.0", "FLOOR.01", "FLOOR.13", "FLOOR.100", "FLOOR.1x", "FLOOR./", "FLOOR.:", "FLOOR.1/", "FLOOR.1:", "PIT.4", ".1", "HALL.1"} {
		require.False(t, p.Has(id), id)
		_, found := p.Position(id)
		require.False(t, found, id)
	}
}
