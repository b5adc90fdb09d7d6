package page_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/page"
)

// requireTidy asserts that all seats and shapes lie within the size, and that no seats overlap.
func requireTidy(t *testing.T, d page.Drawing) {
	t.Helper()
	const radius = 10
	cells := map[[2]int][][2]float64{}
	for _, z := range d.Zones {
		for _, row := range z.Rows {
			for n, id := range row.IDs {
				x, y := row.X[n], row.Y[n]
				require.True(t, x >= radius && x <= d.Size[0]-radius && y >= radius && y <= d.Size[1]-radius, "%s is outside", id)
				column, line := int(x/20), int(y/20)
				for dx := -1; dx <= 1; dx++ {
					for dy := -1; dy <= 1; dy++ {
						for _, other := range cells[[2]int{column + dx, line + dy}] {
							require.GreaterOrEqual(t, math.Hypot(x-other[0], y-other[1]), 2.0*radius, "%s overlaps", id)
						}
					}
				}
				cells[[2]int{column, line}] = append(cells[[2]int{column, line}], [2]float64{x, y})
			}
		}
	}
}

func zoneNames(d page.Drawing) (names []string) {
	for _, z := range d.Zones {
		names = append(names, z.Name)
	}
	return names
}

func TestPage_LaysOutShortPlans(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		zones []string
		seats int
	}{
		"1:A":                                {[]string{""}, 1},
		"1-12:A-H":                           {[]string{""}, 96},
		"1-5:A-H,6-10:A-L":                   {[]string{""}, 100},
		"1-400:A-Z":                          {[]string{""}, 10_400},
		"STALLS-{A-H}-{1-30}":                {[]string{"STALLS"}, 240},
		"FLOOR-{1-200}-{1-100}":              {[]string{"FLOOR"}, 20_000},
		"A-{1-40}-{1-30},B-{1-40}-{1-30}":    {[]string{"A", "B"}, 2400},
		"BOX-{1-12}-{1-4},HALL-{1-20}-{1-9}": {[]string{"BOX", "HALL"}, 228},
		"{A-T}-{1-50}-{1-100}":               {[]string{"A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T"}, 100_000},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			b := setupPage(t)
			b.put(t, "gala", fmt.Sprintf("%q", text))
			d := b.drawing(t)
			requireTidy(t, d)
			require.Equal(t, want.zones, zoneNames(d))
			seats := 0
			for _, z := range d.Zones {
				for _, row := range z.Rows {
					seats += len(row.IDs)
				}
			}
			require.Equal(t, want.seats, seats)
			require.Len(t, d.Shapes, 1)
			require.Equal(t, "Stage", d.Shapes[0].Text)
			if seats > 1000 {
				require.InDelta(t, 4.0/3, d.Size[0]/d.Size[1], 0.6)
			}
		})
	}
}
