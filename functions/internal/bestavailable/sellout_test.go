package bestavailable_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/bestavailable"
)

// sellOut sells a hall to parties of 2 to 6, until no two adjacent seats are free. It returns
// how many single seats are left. choose returns seats for a party, none if it finds none.
func sellOut(t *testing.T, h *hall, seed uint64, choose func(party int) []string) (singles int) {
	random := rand.New(rand.NewPCG(seed, 0))
	for {
		party := 2 + random.IntN(5)
		seats := choose(party)
		for len(seats) == 0 && party > 2 {
			party--
			seats = choose(party)
		}
		if len(seats) == 0 {
			return h.singles()
		}
		h.takeSeats(t, seats)
	}
}

// TestFind_LeavesFewerSinglesThanFirstFit compares the single seats of sold halls with those
// that remain if each party gets the first adjacent seats of the plan.
func TestFind_LeavesFewerSinglesThanFirstFit(t *testing.T) {
	t.Parallel()
	const floor = "Floor aaaaaaaaa_aaaaaaaaa aaaaaaaaa_aaaaaaaaa aaaaaaaaaa_aaaaaaaaaa aaaaaaaaaa_aaaaaaaaaa aaaaaaaaaaa_aaaaaaaaaaa aaaaaaaaaaa_aaaaaaaaaaa"
	best, firstFit := 0, 0
	for seed := range uint64(50) {
		h := draw(t, floor)
		x := bestavailable.New(h.plan)
		best += sellOut(t, h, seed, func(party int) []string {
			found, err := x.Find(bestavailable.Request{Quantity: party})
			if err != nil {
				var none *bestavailable.NotAdjacentError
				require.True(t, errors.As(err, &none) || errors.Is(err, bestavailable.ErrSoldOut), err)
				return nil
			}
			x.Set(found[0].SeatIDs, false)
			return found[0].SeatIDs
		})
		h = draw(t, floor)
		firstFit += sellOut(t, h, seed, func(party int) []string {
			for _, row := range h.rows {
				for first := range len(row.free) - party + 1 {
					if !slices.Contains(row.free[first:first+party], false) {
						return row.ids[first : first+party]
					}
				}
			}
			return nil
		})
	}
	t.Logf("single seats in 50 halls of 126 seats: %d, by first fit: %d", best, firstFit)
	require.Less(t, 4*best, firstFit)
}
