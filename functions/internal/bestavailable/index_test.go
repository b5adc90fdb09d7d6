package bestavailable_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"booking/functions/internal/bestavailable"
	"booking/functions/internal/plan"
)

func TestSet_EqualsLoad(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawRandom(t)
		x := h.index()
		for range rapid.IntRange(1, 20).Draw(t, "changes") {
			row := rapid.SampledFrom(h.rows).Draw(t, "row")
			first := rapid.IntRange(0, len(row.free)-1).Draw(t, "first")
			last := rapid.IntRange(first, min(first+9, len(row.free)-1)).Draw(t, "last")
			free := rapid.Bool().Draw(t, "free")
			for c := first; c <= last; c++ {
				row.free[c] = free && row.ids[c] != ""
			}
			x.Set(row.ids[first:last+1], free) // "" is no seat
		}
		r := drawRequest(t, h)
		requireNaive(t, h, x, r)
		found, err := x.Find(r)
		again, errAgain := h.index().Find(r)
		require.Equal(t, again, found)
		require.Equal(t, errAgain, err)
	})
}

func TestLoad_ReplacesWhatWasSet(t *testing.T) {
	t.Parallel()
	p, err := draw(t, "Floor aaa").plan.WithAreas([]plan.Area{{ID: "LAWN", Capacity: 2}})
	require.NoError(t, err)
	x := bestavailable.New(p)
	x.Set([]string{"Floor0-0-0", "LAWN.1", "LAWN.1", "none"}, false)
	x.Load(slices.Values([]string{"Floor0-0-2", "LAWN.2", "none"}))
	found, err := x.Find(bestavailable.Request{Quantity: 2})
	require.NoError(t, err)
	require.Equal(t, []bestavailable.Candidate{{SeatIDs: []string{"Floor0-0-0", "Floor0-0-1"}, Adjacent: true}}, found)
	found, err = x.Find(bestavailable.Request{Quantity: 1, Area: "LAWN"})
	require.NoError(t, err)
	require.Equal(t, []bestavailable.Candidate{{SeatIDs: []string{"LAWN.1"}}}, found)
}

func TestSet_ChangesAllSeatsAtOnce(t *testing.T) {
	t.Parallel()
	h := draw(t, "Floor aaaa")
	x := bestavailable.New(h.plan)
	var finders sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		finders.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				found, err := x.Find(bestavailable.Request{Quantity: 2})
				if len(found) != 2 && !errors.Is(err, bestavailable.ErrSoldOut) {
					t.Errorf("found %v, %v; want two candidates or none", found, err)
					return
				}
			}
		})
	}
	for i := range 2000 {
		x.Set(h.rows[0].ids, i%2 == 1)
	}
	close(stop)
	finders.Wait()
}

// TestTake_GivesEachSeatOnce sells a hall and an area in parallel. Of each Take, the call keeps
// all seats but the last.
func TestTake_GivesEachSeatOnce(t *testing.T) {
	t.Parallel()
	p, err := draw(t, "Floor aaaaaaaaaaa_aaaaaaaaaaaa aaaaaaaaaaaaa", "Balcony bbbbbbbbbbbb").plan.WithAreas([]plan.Area{{ID: "LAWN", Capacity: 48}})
	require.NoError(t, err)
	x := bestavailable.New(p)
	var mu sync.Mutex
	sold := map[string]int{}
	var calls sync.WaitGroup
	for n := range uint64(4) {
		calls.Go(func() {
			for _, area := range []string{"", "LAWN"} {
				for quantity := 4; quantity > 0; {
					c, err := x.Take(bestavailable.Request{Quantity: quantity, Apart: true, Area: area, Spread: 4, Seed: n})
					if err != nil {
						quantity--
						continue
					}
					keep := max(quantity-1, 1)
					mu.Lock()
					for _, id := range c.SeatIDs[:keep] {
						sold[id]++
					}
					mu.Unlock()
					x.Set(c.SeatIDs[keep:], true)
				}
			}
		})
	}
	calls.Wait()
	require.Len(t, sold, p.Len(), "a seat is left")
	for id, times := range sold {
		require.Equal(t, 1, times, id)
	}
}

func TestTake_IsTheFirstOfFind(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawRandom(t)
		x := h.index()
		r := drawRequest(t, h)
		r.Apart, r.Spread, r.Seed = rapid.Bool().Draw(t, "apart"), rapid.IntRange(0, 100).Draw(t, "spread"), rapid.Uint64().Draw(t, "seed")
		found, errFind := x.Find(r)
		taken, err := x.Take(r)
		require.Equal(t, errFind, err)
		if err != nil {
			require.Empty(t, taken)
			return
		}
		require.Equal(t, found[0], taken)
		h.takeSeats(t, taken.SeatIDs)
		again, err := x.Find(r)
		want, errWant := h.index().Find(r)
		require.Equal(t, want, again)
		require.Equal(t, errWant, err)
	})
}

func TestFind_NeedsRows(t *testing.T) {
	t.Parallel()
	lawn, err := (*plan.Plan)(nil).WithAreas([]plan.Area{{ID: "LAWN", Capacity: 2}})
	require.NoError(t, err)
	for _, p := range []*plan.Plan{nil, {}, lawn} {
		x := bestavailable.New(p)
		x.Set([]string{"1A"}, true)
		_, err := x.Find(bestavailable.Request{Quantity: 1})
		require.Equal(t, bestavailable.ErrNoRows, err)
	}
}
