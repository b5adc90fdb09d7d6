package bestavailable_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/bestavailable"
	"booking/functions/internal/plan"
)

// theatre returns the plan of a theatre, as the editor of the plan format writes it.
func theatre(t testing.TB) *plan.Plan {
	t.Helper()
	raw, err := os.ReadFile("../plan/testdata/theatre.json")
	require.NoError(t, err)
	p, err := plan.Parse(raw)
	require.NoError(t, err)
	return p
}

// best returns the seats of the first candidate.
func best(t testing.TB, x *bestavailable.Index, r bestavailable.Request) []string {
	t.Helper()
	found, err := x.Find(r)
	require.NoError(t, err)
	return found[0].SeatIDs
}

func TestFind_ReadsATheatre(t *testing.T) {
	t.Parallel()
	x := bestavailable.New(theatre(t))
	require.Len(t, best(t, x, bestavailable.Request{Quantity: 4, Zone: "boxes"}), 4, "a zone without a name has its zone_id")
	for name, test := range map[string]struct {
		bestavailable.Request
		want []string
	}{
		"nearest to the middle, beside the aisle":   {bestavailable.Request{Quantity: 2}, []string{"Stalls-A-7", "Stalls-A-8"}},
		"first row of the category":                 {bestavailable.Request{Quantity: 3, Category: "Stalls"}, []string{"Stalls-E-8", "Stalls-E-9", "Stalls-E-10"}},
		"first row of the zone":                     {bestavailable.Request{Quantity: 2, Zone: "First balcony"}, []string{"B1-1-3", "B1-1-4"}},
		"wheelchair places if they are asked for":   {bestavailable.Request{Quantity: 2, Category: "Wheelchair"}, []string{"Stalls-K-1", "Stalls-K-2"}},
		"the longest row beside an aisle":           {bestavailable.Request{Quantity: 10}, []string{"Stalls-D-10", "Stalls-D-11", "Stalls-D-12", "Stalls-D-13", "Stalls-D-14", "Stalls-D-15", "Stalls-D-16", "Stalls-D-17", "Stalls-D-18", "Stalls-D-19"}},
		"no single seat beside the wheelchair ones": {bestavailable.Request{Quantity: 1, Category: "Wheelchair"}, []string{"Stalls-K-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, best(t, x, test.Request))
		})
	}
}

func TestFind_ShortFormHasNoAisles(t *testing.T) {
	t.Parallel()
	p, err := plan.ParseShort("1-3:A-G,BOX:1-2")
	require.NoError(t, err)
	x := bestavailable.New(p)
	require.Equal(t, []string{"1C", "1D", "1E"}, best(t, x, bestavailable.Request{Quantity: 3}))
	require.Equal(t, []string{"1A", "1B", "1C", "1D", "1E", "1F", "1G"}, best(t, x, bestavailable.Request{Quantity: 7}))
	x.Set([]string{"1C", "1D", "1E"}, false)
	require.Equal(t, []string{"1A", "1B"}, best(t, x, bestavailable.Request{Quantity: 2}))
}

func TestFind_LeavesNoSingleSeatIfAnotherRowAvoidsIt(t *testing.T) {
	t.Parallel()
	h := draw(t, "Floor aaa aaa_aa", "Balcony bbb")
	x := bestavailable.New(h.plan)
	r := bestavailable.Request{Quantity: 2}
	require.Equal(t, []string{"Floor0-1-4", "Floor0-1-5"}, best(t, x, r))
	x.Set([]string{"Floor0-1-4", "Floor0-1-5"}, false)
	require.Equal(t, []string{"Floor0-0-0", "Floor0-0-1"}, best(t, x, r), "none of the category avoids it, so the best one")
}

func TestFind_MixesCategoriesOnlyIfItMust(t *testing.T) {
	t.Parallel()
	h := draw(t, "Floor aabb aaaa")
	x := bestavailable.New(h.plan)
	r := bestavailable.Request{Quantity: 4}
	require.Equal(t, h.rows[1].ids, best(t, x, r))
	x.Set(h.rows[1].ids[:1], false)
	require.Equal(t, h.rows[0].ids, best(t, x, r))
}

func TestFind_GivesAccessibleSeatsOnlyByCategory(t *testing.T) {
	t.Parallel()
	h := draw(t, "Floor wwww")
	x := bestavailable.New(h.plan)
	for _, apart := range []bool{false, true} {
		_, err := x.Find(bestavailable.Request{Quantity: 1, Apart: apart})
		require.Equal(t, bestavailable.ErrSoldOut, err)
		require.Equal(t, []string{"Floor0-0-0", "Floor0-0-1"},
			best(t, x, bestavailable.Request{Quantity: 2, Category: "Wheelchair places", Apart: apart}))
	}
}

func TestAccessible_ReadsNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"Wheelchair": true, "ACCESSIBLE seating": true, "Rollstuhlplätze": true, "": false, "Stalls": false} {
		require.Equal(t, want, bestavailable.Accessible(name), name)
	}
}

func TestFind_Refuses(t *testing.T) {
	t.Parallel()
	h := draw(t, "Floor aaa_aa a", "Balcony bb")
	x := bestavailable.New(h.plan)
	for name, test := range map[string]struct {
		bestavailable.Request
		want error
	}{
		"no seat":            {bestavailable.Request{}, bestavailable.ErrQuantity},
		"too many seats":     {bestavailable.Request{Quantity: 11}, bestavailable.ErrQuantity},
		"too few seats":      {bestavailable.Request{Quantity: 9}, bestavailable.ErrSoldOut},
		"too few of a zone":  {bestavailable.Request{Quantity: 3, Zone: "Balcony"}, bestavailable.ErrSoldOut},
		"too few apart":      {bestavailable.Request{Quantity: 9, Apart: true}, bestavailable.ErrSoldOut},
		"no adjacent seats":  {bestavailable.Request{Quantity: 4}, &bestavailable.NotAdjacentError{LargestBlock: 3}},
		"an unknown zone":    {bestavailable.Request{Quantity: 1, Zone: "Roof"}, &bestavailable.UnknownError{Member: "zone", Name: "Roof"}},
		"an unknown class":   {bestavailable.Request{Quantity: 1, Category: "VIP"}, &bestavailable.UnknownError{Member: "category", Name: "VIP"}},
		"other zone's class": {bestavailable.Request{Quantity: 1, Zone: "Floor", Category: "Side"}, bestavailable.ErrSoldOut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := x.Find(test.Request)
			require.Equal(t, test.want, err)
			require.Empty(t, found)
			require.NotContains(t, err.Error(), "%!")
		})
	}
}

// TestFind_SpreadsCallsBySeed makes as many calls as the spread at once. A call that gets none
// of its candidates, because earlier ones took them, has to look again.
func TestFind_SpreadsCallsBySeed(t *testing.T) {
	t.Parallel()
	p, err := plan.ParseShort("R{1-40}-{1-20}")
	require.NoError(t, err)
	x := bestavailable.New(p)
	all, err := x.Find(bestavailable.Request{Quantity: 2})
	require.NoError(t, err)
	for spread := 2; spread <= bestavailable.MaxSpread; spread *= 2 {
		first, taken, failed := map[string]int{}, map[string]bool{}, 0
		for seed := range uint64(spread) {
			found, err := x.Find(bestavailable.Request{Quantity: 2, Spread: spread, Seed: seed})
			require.NoError(t, err)
			require.Len(t, found, bestavailable.MaxCandidates)
			first[fmt.Sprint(found[0].SeatIDs)]++
			got := false
			for _, c := range found {
				if !taken[c.SeatIDs[0]] {
					taken[c.SeatIDs[0]], got = true, true
					break
				}
			}
			if !got {
				failed++
			}
		}
		require.Less(t, failed, spread/8+1, "of %d calls", spread)
		require.Greater(t, len(first), spread/2, "first candidates of %d calls", spread)
		if spread <= bestavailable.MaxCandidates {
			found, err := x.Find(bestavailable.Request{Quantity: 2, Spread: spread, Seed: 7})
			require.NoError(t, err)
			require.ElementsMatch(t, all[:spread], found[:spread], "the best groups, in another order")
			require.Equal(t, all[spread:], found[spread:], "then the next ones")
		}
	}
}
