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
