package report

import (
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"booking/functions/internal/seatplan"
)

// contest is the hall from above: how often each seat was asked for. A column is the
// seats of one name, in whichever row; the first row is the uppermost.
type contest struct {
	rows    []seatplan.Row
	columns []string
	asked   map[string]int
	most    int
}

func newContest(rows []seatplan.Row, asked map[string]int) contest {
	c := contest{rows: rows, asked: asked}
	known := map[string]bool{}
	for _, row := range rows {
		for _, id := range row.SeatIDs {
			if name := nameIn(row, id); !known[name] {
				known[name] = true
				c.columns = append(c.columns, name)
			}
			c.most = max(c.most, asked[id])
		}
	}
	return c
}

// nameIn is what a seat is called within its row.
func nameIn(row seatplan.Row, id string) string { return strings.TrimPrefix(id, row.Label) }

// y is where a row is; the lowest is at 1.
func (c contest) y(row int) float64 { return float64(len(c.rows) - row) }

// outlined is how large a seat is that has an outline; those of a large hall are smaller.
const outlined = 5 // points

// Plot draws the seats.
func (c contest) Plot(canvas draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&canvas)
	column := map[string]float64{}
	for i, name := range c.columns {
		column[name] = float64(i + 1)
	}
	line := outline
	if x(1)-x(0) < outlined || y(1)-y(0) < outlined {
		line.Width = 0
	}
	for r, row := range c.rows {
		for _, id := range row.SeatIDs {
			at := column[nameIn(row, id)]
			box(&canvas, line, shades[c.shade(c.asked[id])], x(at-0.5), y(c.y(r)-0.5), x(at+0.5), y(c.y(r)+0.5))
		}
	}
}

// shade is that of a seat that was asked for n times. It is a logarithm, or one seat
// that hundreds were after would leave all others pale.
func (c contest) shade(n int) int {
	return int(math.Log1p(float64(n)) / math.Log1p(float64(max(c.most, 1))) * float64(len(shades)-1))
}

// outline tells a seat from a ground that is as light, or as dark, as the seat.
var outline = draw.LineStyle{Color: color.RGBA{0x80, 0x80, 0x80, 0xff}, Width: vg.Points(0.5)}

func box(c *draw.Canvas, line draw.LineStyle, colour color.Color, left, low, right, high vg.Length) {
	corners := []vg.Point{{X: left, Y: low}, {X: left, Y: high}, {X: right, Y: high}, {X: right, Y: low}}
	c.FillPolygon(colour, corners)
	if line.Width > 0 {
		c.StrokeLines(line, append(corners, corners[0]))
	}
}

// shades go from light to dark, so that they are told apart in print as well.
var shades = func() []color.Color {
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
}()

// How high the parts of the picture are above the seats, in points.
const (
	stageHigh  = 18
	stageGap   = 8 // to the first row
	legendHigh = 64
)

// heat is the hall, with how contested each seat was.
func (r *Run) heat(asked map[string]int) (*plot.Plot, vg.Length) {
	c := newContest(r.Rows, asked)
	hall := min(max(12*float64(len(c.rows)), 160), 640) // high, points
	row := hall / float64(len(c.rows))
	p := newPlot("seat", "row")
	p.Add(c, stage{low: float64(len(c.rows)) + 0.5 + stageGap/row, high: float64(len(c.rows)) + 0.5 + (stageGap+stageHigh)/row})
	for _, n := range slices.Compact([]int{c.most, int(math.Sqrt(float64(c.most))), 0}) {
		p.Legend.Add("asked for "+Count(n)+" times", swatch{shades[c.shade(n)]})
	}
	wide := 7.0 // of a character, points
	for _, name := range c.columns {
		wide = max(wide, 7*float64(len(name)))
	}
	var rows []string
	for _, row := range slices.Backward(c.rows) {
		rows = append(rows, row.Label)
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = named{c.columns, max(int(400/wide), 1)}, named{rows, int(hall / 12)}
	p.X.Min, p.X.Max = 0.5, float64(len(c.columns))+0.5
	const above = stageGap + stageHigh + legendHigh
	p.Y.Min, p.Y.Max = 0.5, float64(len(c.rows))+above/row+0.5
	return p, vg.Points(hall + above + 50)
}

// named marks the places 1, 2, … with names. There is room for so many at most.
type named struct {
	names []string
	most  int
}

func (n named) Ticks(_, _ float64) []plot.Tick {
	step := (len(n.names) + n.most - 1) / n.most
	var ticks []plot.Tick
	for i := 0; i < len(n.names); i += step {
		ticks = append(ticks, plot.Tick{Value: float64(i + 1), Label: n.names[i]})
	}
	return ticks
}

// stage is a box with that word, as wide as half of the hall.
type stage struct{ low, high float64 }

// Plot draws it.
func (s stage) Plot(canvas draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&canvas)
	quarter := (p.X.Max - p.X.Min) / 4
	left, low, right, high := x(p.X.Min+quarter), y(s.low), x(p.X.Max-quarter), y(s.high)
	canvas.StrokeLines(draw.LineStyle{Color: black, Width: vg.Points(1)},
		[]vg.Point{{X: left, Y: low}, {X: left, Y: high}, {X: right, Y: high}, {X: right, Y: low}, {X: left, Y: low}})
	style := p.X.Label.TextStyle
	style.XAlign, style.YAlign = draw.XCenter, draw.YCenter
	canvas.FillText(style, vg.Point{X: (left + right) / 2, Y: (low + high) / 2}, "Stage")
}

// swatch is a colour in a legend.
type swatch struct{ colour color.Color }

// Thumbnail draws it.
func (s swatch) Thumbnail(c *draw.Canvas) {
	box(c, outline, s.colour, c.Min.X, c.Min.Y, c.Max.X, c.Max.Y)
}
