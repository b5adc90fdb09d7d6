package report

import (
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"booking/functions/cmd/internal/chart"
	"booking/functions/internal/plan"
)

// Heights of the parts of the hall's chart above the seats, in points.
const (
	stageHeight  = 18
	stageGap     = 8 // to the first row
	legendHeight = 64
)

// hallChart shows the hall from above: the darker a seat, the more reserves named it.
// It returns the chart and its height.
func (r *Run) hallChart(reserves map[string]int) (*plot.Plot, vg.Length) {
	h := newHeatMap(r.Rows, reserves)
	height := min(max(12*float64(len(h.rows)), 160), 640) // of all rows, points
	row := height / float64(len(h.rows))
	p := chart.New("seat", "row")
	p.Add(h, stage{low: float64(len(h.rows)) + 0.5 + stageGap/row, high: float64(len(h.rows)) + 0.5 + (stageGap+stageHeight)/row})
	for _, n := range slices.Compact([]int{h.most, int(math.Sqrt(float64(h.most))), 0}) {
		p.Legend.Add("requested "+Count(n)+" times", swatch{shades[h.shade(n)]})
	}
	width := 7.0 // of a label, points
	for _, name := range h.columns {
		width = max(width, 7*float64(len(name)))
	}
	var rows []string
	for _, row := range slices.Backward(h.rows) {
		rows = append(rows, row.Label)
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = nameTicks{h.columns, max(int(400/width), 1)}, nameTicks{rows, int(height / 12)}
	p.X.Min, p.X.Max = 0.5, float64(len(h.columns))+0.5
	const above = stageGap + stageHeight + legendHeight
	p.Y.Min, p.Y.Max = 0.5, float64(len(h.rows))+above/row+0.5
	return p, vg.Points(height + above + 50)
}

// heatMap is the seats of the hall with the number of reserves. The first row is at the
// top. Seats with the same name in different rows share a column.
type heatMap struct {
	rows     []plan.Row
	columns  []string
	reserves map[string]int
	most     int // reserves of one seat
}

func newHeatMap(rows []plan.Row, reserves map[string]int) heatMap {
	h := heatMap{rows: rows, reserves: reserves}
	known := map[string]bool{}
	for _, row := range rows {
		for _, id := range row.SeatIDs {
			if name := nameIn(row, id); !known[name] {
				known[name] = true
				h.columns = append(h.columns, name)
			}
			h.most = max(h.most, reserves[id])
		}
	}
	return h
}

// nameIn returns the seat's name within its row, without what separates them.
func nameIn(row plan.Row, id string) string {
	return strings.TrimLeft(strings.TrimPrefix(id, row.Label), "-._:")
}

// y returns the position of a row; the last row is at 1.
func (h heatMap) y(row int) float64 { return float64(len(h.rows) - row) }

// minOutlined is the size from which on seats have outlines, in points.
const minOutlined = 5

// Plot implements plot.Plotter.
func (h heatMap) Plot(canvas draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&canvas)
	column := map[string]float64{}
	for i, name := range h.columns {
		column[name] = float64(i + 1)
	}
	line := outline
	if x(1)-x(0) < minOutlined || y(1)-y(0) < minOutlined {
		line.Width = 0
	}
	for r, row := range h.rows {
		for _, id := range row.SeatIDs {
			at := column[nameIn(row, id)]
			drawBox(&canvas, line, shades[h.shade(h.reserves[id])], x(at-0.5), y(h.y(r)-0.5), x(at+0.5), y(h.y(r)+0.5))
		}
	}
}

// shade returns the shade for n reserves. It is logarithmic, because a few seats get
// most of the reserves.
func (h heatMap) shade(n int) int {
	return int(math.Log1p(float64(n)) / math.Log1p(float64(max(h.most, 1))) * float64(len(shades)-1))
}

// outline keeps a seat visible on a background of its own shade.
var outline = draw.LineStyle{Color: color.RGBA{0x80, 0x80, 0x80, 0xff}, Width: vg.Points(0.5)}

func drawBox(c *draw.Canvas, line draw.LineStyle, colour color.Color, left, low, right, high vg.Length) {
	corners := []vg.Point{{X: left, Y: low}, {X: left, Y: high}, {X: right, Y: high}, {X: right, Y: low}}
	c.FillPolygon(colour, corners)
	if line.Width > 0 {
		c.StrokeLines(line, append(corners, corners[0]))
	}
}

// shades go from light to dark. They also differ in greyscale.
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

// stage is a box labelled "Stage", half as wide as the hall.
type stage struct{ low, high float64 }

// Plot implements plot.Plotter.
func (s stage) Plot(canvas draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&canvas)
	quarter := (p.X.Max - p.X.Min) / 4
	left, low, right, high := x(p.X.Min+quarter), y(s.low), x(p.X.Max-quarter), y(s.high)
	canvas.StrokeLines(draw.LineStyle{Color: chart.Black, Width: vg.Points(1)},
		[]vg.Point{{X: left, Y: low}, {X: left, Y: high}, {X: right, Y: high}, {X: right, Y: low}, {X: left, Y: low}})
	style := p.X.Label.TextStyle
	style.XAlign, style.YAlign = draw.XCenter, draw.YCenter
	canvas.FillText(style, vg.Point{X: (left + right) / 2, Y: (low + high) / 2}, "Stage")
}

// swatch shows a colour in the legend.
type swatch struct{ colour color.Color }

// Thumbnail implements plot.Thumbnailer.
func (s swatch) Thumbnail(c *draw.Canvas) {
	drawBox(c, outline, s.colour, c.Min.X, c.Min.Y, c.Max.X, c.Max.Y)
}
