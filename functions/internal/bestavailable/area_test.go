package bestavailable_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"booking/functions/internal/bestavailable"
	"booking/functions/internal/plan"
)

func TestFind_PlacesOfAnArea(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(1, 200).Draw(t, "capacity")
		p, err := (*plan.Plan)(nil).WithAreas([]plan.Area{{ID: "A", Capacity: 3}, {ID: "FLOOR", Capacity: capacity}, {ID: "Z", Capacity: 70}})
		require.NoError(t, err)
		x := bestavailable.New(p)
		free := map[string]bool{}
		for n := range capacity {
			free[fmt.Sprint("FLOOR.", n+1)] = true
		}
		for _, n := range rapid.SliceOf(rapid.IntRange(1, capacity)).Draw(t, "taken") {
			id := fmt.Sprint("FLOOR.", n)
			x.Set([]string{id}, false)
			delete(free, id)
		}
		r := bestavailable.Request{Area: "FLOOR", Quantity: rapid.IntRange(1, 10).Draw(t, "quantity"), Seed: rapid.Uint64().Draw(t, "seed")}
		found, err := x.Find(r)
		if len(free) < r.Quantity {
			require.Equal(t, bestavailable.ErrSoldOut, err)
			return
		}
		require.NoError(t, err)
		require.Len(t, found, min(len(free)/r.Quantity, bestavailable.MaxCandidates))
		for _, c := range found {
			require.Len(t, c.SeatIDs, r.Quantity)
			for _, id := range c.SeatIDs {
				require.True(t, free[id], "%s is taken, or in two candidates", id)
				delete(free, id)
			}
		}
	})
}

func TestFind_PlacesDifferBySeed(t *testing.T) {
	t.Parallel()
	p, err := (*plan.Plan)(nil).WithAreas([]plan.Area{{ID: "FLOOR", Capacity: 10_000}})
	require.NoError(t, err)
	x := bestavailable.New(p)
	var first []string
	for seed := range uint64(100) {
		found, err := x.Find(bestavailable.Request{Area: "FLOOR", Quantity: 1, Seed: seed})
		require.NoError(t, err)
		first = append(first, found[0].SeatIDs[0])
	}
	slices.Sort(first)
	require.Greater(t, len(slices.Compact(first)), 90, "of 100 calls")
}

func TestFind_AreaIsOnlyForItsCategory(t *testing.T) {
	t.Parallel()
	p, err := draw(t, "Floor a").plan.WithAreas([]plan.Area{{ID: "RAMP", Capacity: 1, Category: "Wheelchair places"}})
	require.NoError(t, err)
	x := bestavailable.New(p)
	for _, category := range []string{"", "Wheelchair places"} {
		found, err := x.Find(bestavailable.Request{Area: "RAMP", Quantity: 1, Category: category})
		require.NoError(t, err)
		require.Equal(t, "RAMP.1", found[0].SeatIDs[0])
	}
	for member, r := range map[string]bestavailable.Request{
		"area":     {Area: "ROOF"},
		"category": {Area: "RAMP", Category: "Stalls"},
		"zone":     {Area: "RAMP", Zone: "Floor"},
	} {
		r.Quantity = 1
		_, err := x.Find(r)
		var unknown *bestavailable.UnknownError
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, member, unknown.Member)
	}
}
