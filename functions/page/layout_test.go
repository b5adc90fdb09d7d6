package page_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/page"
)

// requireTidy asserts that all seats lie within the size, and that no seats overlap.
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

// Rows of different lengths are centered in front of the stage.
func TestPage_CentersRows(t *testing.T) {
	t.Parallel()
	b := setupPage(t)
	b.put(t, "gala", `"1-3:A-H,4-6:A-L"`)
	d := b.drawing(t)
	for _, row := range d.Zones[0].Rows {
		require.InDelta(t, d.Size[0]/2, (row.X[0]+row.X[len(row.X)-1])/2, 0.1, row.Label)
		require.Less(t, d.Shapes[0].Y+d.Shapes[0].Height, row.Y[0])
	}
	require.InDelta(t, d.Size[0]/2, d.Shapes[0].X+d.Shapes[0].Width/2, 0.1)
}

// A text beside everything else is within the size, too.
func TestPage_FitsTexts(t *testing.T) {
	t.Parallel()
	b := setupPage(t)
	b.put(t, "gala", `{"zones":[{"rows":[{"seats":[{"seat_guid":"A1","position":{"x":0,"y":0}}]}],
		"areas":[{"shape":"text","position":{"x":-500,"y":300},"text":{"text":"To the cloakroom","size":20}}]}]}`)
	d := b.drawing(t)
	letters := 20 * 0.5 * float64(len("To the cloakroom"))
	require.GreaterOrEqual(t, d.Shapes[0].X, letters/2)
	require.GreaterOrEqual(t, d.Size[1], d.Shapes[0].Y+10)
	require.InDelta(t, 500, d.Zones[0].Rows[0].X[0]-d.Shapes[0].X, 0.1)
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
				require.InDelta(t, 4.0/3, d.Size[0]/d.Size[1], 0.3)
			}
		})
	}
}
