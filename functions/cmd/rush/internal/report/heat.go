package report

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// contest is the hall as a grid: how often each seat was asked for. The first row
// is the lowest, where the stage is.
type contest struct {
	rows  [][]string
	wide  int
	asked map[string]int
}

func newContest(rows [][]string, asked map[string]int) contest {
	c := contest{rows: rows, asked: asked}
	for _, row := range rows {
		c.wide = max(c.wide, len(row))
	}
	return c
}

func (c contest) Dims() (columns, rows int) { return c.wide, len(c.rows) }
func (c contest) X(column int) float64      { return float64(column + 1) }
func (c contest) Y(row int) float64         { return float64(row + 1) }

// Z is NaN where there is no seat; rows are in the middle of the hall. It is a
// logarithm, or one seat that hundreds were after would leave all others pale.
func (c contest) Z(column, row int) float64 {
	at := column - (c.wide-len(c.rows[row]))/2
	if at < 0 || at >= len(c.rows[row]) {
		return math.NaN()
	}
	return math.Log1p(float64(c.asked[c.rows[row][at]]))
}

// shades go from light to dark, so that they are told apart in print as well.
type shades struct{}

func (shades) Colors() []color.Color {
	light, dark := [3]float64{0xff, 0xf4, 0xdc}, [3]float64{0x6b, 0x0f, 0x1a}
	middle := [3]float64{0xee, 0x86, 0x3c}
	colours := make([]color.Color, 64)
	for i := range colours {
		at := float64(i) / float64(len(colours)-1) * 2
		from, to := light, middle
		if at > 1 {
			from, to, at = middle, dark, at-1
		}
		mix := func(n int) uint8 { return uint8(from[n] + (to[n]-from[n])*at) }
		colours[i] = color.RGBA{mix(0), mix(1), mix(2), 0xff}
	}
	return colours
}

// heat is the hall, with how contested each seat was.
func (r *Run) heat(asked map[string]int) (*plot.Plot, vg.Length, error) {
	c := newContest(r.Rows, asked)
	most := 0
	for _, n := range asked {
		most = max(most, n)
	}
	p := newPlot("seat", "row; the stage is below")
	h := plotter.NewHeatMap(c, shades{})
	h.Min, h.Max = 0, math.Log1p(float64(max(most, 1)))
	h.NaN = color.White
	p.Add(h)
	colours := shades{}.Colors()
	for _, n := range slices.Compact([]int{most, int(math.Sqrt(float64(most))), 0}) {
		at := math.Log1p(float64(n)) / h.Max * float64(len(colours)-1)
		p.Legend.Add("asked for "+Count(n)+" times", swatch{colours[int(at)]})
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = upTo{1, float64(c.wide)}, upTo{1, float64(len(c.rows))}
	p.X.Min, p.X.Max = 0.5, float64(c.wide)+0.5
	hall := min(max(12*float64(len(c.rows)), 160), 640) // high, points
	const legend = 64                                   // stands above
	p.Y.Min, p.Y.Max = 0.5, float64(len(c.rows))*(1+legend/hall)+0.5
	high := vg.Points(hall + legend + 50)
	return p, high, nil
}

// swatch is a colour in a legend.
type swatch struct{ colour color.Color }

func (s swatch) Thumbnail(c *draw.Canvas) {
	c.FillPolygon(s.colour, []vg.Point{{X: c.Min.X, Y: c.Min.Y}, {X: c.Min.X, Y: c.Max.Y}, {X: c.Max.X, Y: c.Max.Y}, {X: c.Max.X, Y: c.Min.Y}})
}
