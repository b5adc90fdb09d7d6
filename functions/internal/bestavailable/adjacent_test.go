package bestavailable_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"booking/functions/internal/bestavailable"
)

// requireNaive requires that Find returns what the naive search finds.
func requireNaive(t require.TestingT, h *hall, x *bestavailable.Index, r bestavailable.Request) {
	found, err := x.Find(r)
	want := h.candidates(r)
	about := func() string { return fmt.Sprintf("%+v of%v", r, h) }
	if len(want) == 0 {
		if h.freeSeats(r) < r.Quantity {
			require.Equal(t, bestavailable.ErrSoldOut, err, about())
			return
		}
		require.Equal(t, &bestavailable.NotAdjacentError{LargestBlock: h.largestBlock(r)}, err, about())
		return
	}
	if err != nil || len(found) != len(want) {
		require.NoError(t, err, about())
		require.Equal(t, want, found, about())
	}
	for i, c := range found {
		if !c.Adjacent || !slices.Equal(c.SeatIDs, want[i]) {
			require.Equal(t, want[i], c.SeatIDs, "candidate %d, %s", i, about())
			require.True(t, c.Adjacent)
		}
	}
}

// TestFind_MatchesNaiveSearch tries each pattern of free seats. From one to the next, one seat
// changes. Rows of more than 64 seats take two words of the index: columns 63 and 64 are in
// different ones.
func TestFind_MatchesNaiveSearch(t *testing.T) {
	t.Parallel()
	taken := func(n int) string { return strings.Repeat("x", n) }
	for name, zones := range map[string][]string{
		"one row":            {"Floor aaaaaaaaaaaa"},
		"an aisle":           {"Floor aaaaa_aaaaaa"},
		"two rows":           {"Floor aaaaaa aaaaaa"},
		"zones":              {"Floor aaaa aaa", "Balcony bbb", "Floor aa"},
		"categories":         {"Floor aabbba bbaaa"},
		"mixed and zones":    {"Floor abab", "Balcony aab_baa"},
		"accessible":         {"Floor waaw wwaa wwww"},
		"two words":          {"Floor " + taken(59) + "aaaaaaaaaa" + taken(58)},
		"words of two rows":  {"Floor " + taken(59) + "aaaaa aaaaa" + taken(60)},
		"categories of both": {"Floor " + taken(60) + "baaaabb" + taken(50)},
		"category of a word": {"Floor " + taken(60) + "aaaabbbb"},
		"words far apart":    {"Floor " + taken(30) + "aaa" + taken(60) + "aaa" + taken(20) + "aaa"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := draw(t, zones...)
			x := h.index()
			for i := range h.patterns() {
				h.set(i ^ i>>1)
				free, taken := h.split()
				x.Set(free, true)
				x.Set(taken, false)
				for q := 1; q <= 5; q++ {
					requireNaive(t, h, x, bestavailable.Request{Quantity: q})
					for _, category := range h.plan.Categories() {
						if len(h.plan.Categories()) > 1 {
							requireNaive(t, h, x, bestavailable.Request{Quantity: q, Category: category.Name})
						}
					}
					if len(zones) > 1 {
						requireNaive(t, h, x, bestavailable.Request{Quantity: q, Zone: "Floor"})
					}
				}
			}
		})
	}
}

// drawRandom draws a hall with random rows, some of them longer than a word, and random taken
// seats.
func drawRandom(t *rapid.T) *hall {
	var zones []string
	for z := range rapid.IntRange(1, 3).Draw(t, "zones") {
		text := []string{"Floor", "Balcony", "Floor"}[z] + " aaa" // tells the spacing
		for range rapid.IntRange(1, 4).Draw(t, "rows") {
			text += " " + rapid.StringMatching("[abw]{0,3}(a{1,30}_)?a{1,20}[bw]{0,2}").Draw(t, "row")
			text += strings.Repeat("a", rapid.SampledFrom([]int{0, 0, 50, 150}).Draw(t, "more"))
		}
		zones = append(zones, text)
	}
	h := draw(t, zones...)
	chance := rapid.IntRange(0, 100).Draw(t, "chance")
	random := rapid.Uint64().Draw(t, "taken")
	h.seats(func(row *drawnRow, c int) {
		random = random*6364136223846793005 + 1442695040888963407
		row.free[c] = int(random>>33%100) >= chance
	})
	return h
}

func drawRequest(t *rapid.T, h *hall) bestavailable.Request {
	r := bestavailable.Request{Quantity: rapid.IntRange(1, bestavailable.MaxQuantity).Draw(t, "quantity")}
	if rapid.Bool().Draw(t, "has a category") {
		r.Category = rapid.SampledFrom(h.plan.Categories()).Draw(t, "category").Name
	}
	if rapid.Bool().Draw(t, "has a zone") {
		r.Zone = rapid.SampledFrom(h.rows).Draw(t, "of row").zone
	}
	return r
}

func TestFind_MatchesNaiveSearchInRandomHalls(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawRandom(t)
		requireNaive(t, h, h.index(), drawRequest(t, h))
	})
}

func TestFind_LeavesNoSinglesIfAnyCandidatesAreTaken(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawRandom(t)
		r := drawRequest(t, h)
		r.Quantity = max(r.Quantity, 2) // of three single seats, two may be taken that leave the third
		found, err := h.index().Find(r)
		if err != nil {
			return
		}
		fewest, all := 0, h.groups(r)
		for _, n := range h.fewest(all, r.Quantity) {
			fewest = max(fewest, n)
		}
		before := h.singles()
		for i, c := range found {
			if rapid.Bool().Draw(t, fmt.Sprint("take ", i)) {
				h.takeSeats(t, c.SeatIDs)
				before += fewest
			}
		}
		require.LessOrEqual(t, h.singles(), before, "%+v of%v", r, h)
	})
}
