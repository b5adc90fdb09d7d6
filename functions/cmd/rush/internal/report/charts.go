package report

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"booking/functions/cmd/internal/chart"
	"booking/functions/cmd/rush/internal/client"
	"booking/seatlock/oracle"
)

// newTimeChart returns an empty chart over the seconds of the run.
func (r *Run) newTimeChart(y string) *plot.Plot {
	p := chart.New("seconds since the first buyer", y)
	end := math.Ceil(r.Summary.Seconds)
	p.X.Min, p.X.Max = 0, end
	p.X.Tick.Marker = roundTicks{0, end}
	return p
}

// band is one area of a stacked chart.
type band struct {
	name   string
	colour color.Color
	values []float64 // one for each x
}

// stack draws bands on top of each other, the first at the bottom. It returns the
// highest sum.
func stack(p *plot.Plot, x []float64, bands []band) (highest float64, err error) {
	top := make([]float64, len(x))
	type area struct {
		name    string
		polygon *plotter.Polygon
	}
	var areas []area
	for _, b := range bands {
		var outline plotter.XYs
		for i := range x {
			outline = append(outline, plotter.XY{X: x[i], Y: top[i] + b.values[i]})
		}
		for i := len(x) - 1; i >= 0; i-- {
			outline = append(outline, plotter.XY{X: x[i], Y: top[i]})
		}
		for i := range top {
			top[i] += b.values[i]
			highest = max(highest, top[i])
		}
		polygon, err := plotter.NewPolygon(outline)
		if err != nil {
			return 0, err
		}
		polygon.Color, polygon.LineStyle.Width = b.colour, vg.Points(0.5)
		polygon.LineStyle.Color = chart.Black
		p.Add(polygon)
		areas = append(areas, area{b.name, polygon})
	}
	for _, a := range slices.Backward(areas) { // the legend lists them from the top
		p.Legend.Add(a.name, a.polygon)
	}
	p.Y.Min, p.Y.Max = 0, highest*1.45+1 // leaves room for the legend
	p.Y.Tick.Marker = roundTicks{0, highest}
	return highest, nil
}

// addMarks draws a line up to top when the sale opens, and at each fault.
func (r *Run) addMarks(p *plot.Plot, top float64) error {
	black := draw.LineStyle{Color: chart.Black, Width: vg.Points(1.5)}
	if put := r.Summary.Put; put != nil && put.OnSaleAt != nil {
		if err := addMark(p, put.OnSaleAfter, top, black); err != nil {
			return err
		}
		p.Legend.Add("the sale opens", &plotter.Line{LineStyle: black})
	}
	if len(r.Summary.Faults) == 0 {
		return nil
	}
	dashed := draw.LineStyle{Color: chart.Black, Dashes: []vg.Length{vg.Points(4), vg.Points(3)}, Width: vg.Points(1)}
	for _, f := range r.Summary.Faults {
		if err := addMark(p, f.At, top, dashed); err != nil {
			return err
		}
	}
	p.Legend.Add("fault of Redis", &plotter.Line{LineStyle: dashed})
	return nil
}

// addMark draws a line up to top.
func addMark(p *plot.Plot, at, top float64, style draw.LineStyle) error {
	line, err := plotter.NewLine(plotter.XYs{{X: at, Y: p.Y.Min}, {X: at, Y: top}})
	if err != nil {
		return err
	}
	line.LineStyle = style
	p.Add(line)
	return nil
}

// seatsChart shows the seats by state over time.
func (r *Run) seatsChart() (*plot.Plot, error) {
	p := r.newTimeChart("seats")
	x := make([]float64, len(r.Samples))
	sold, held, blocked, free := make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x))
	for i, s := range r.Samples {
		x[i] = s.At.Seconds()
		sold[i], held[i], blocked[i] = float64(s.Sold), float64(s.Held), float64(s.Blocked)
		free[i] = float64(r.Summary.Seats - s.Sold - s.Held - s.Blocked)
	}
	bands := []band{{"sold", chart.Blue, sold}, {"held", chart.Orange, held}}
	if r.Summary.blocked() > 0 {
		bands = append(bands, band{"blocked", chart.Grey, blocked})
	}
	top, err := stack(p, x, append(bands, band{"free", color.White, free}))
	if err != nil {
		return nil, err
	}
	return p, r.addMarks(p, top)
}

// callsChart shows the calls per second, by answer.
func (r *Run) callsChart(seconds []client.Second) (*plot.Plot, error) {
	p := r.newTimeChart("calls per second")
	var x []float64 // each second is a step
	for i := range seconds {
		x = append(x, float64(i), float64(i+1))
	}
	values := func(answers ...oracle.Outcome) []float64 {
		var v []float64
		for _, s := range seconds {
			n := 0
			for _, a := range answers {
				n += s.Answers[a]
			}
			v = append(v, float64(n), float64(n))
		}
		return v
	}
	top, err := stack(p, x, []band{
		{"done", chart.Blue, values(oracle.Done)},
		{"refused", chart.LightBlue, values(oracle.Refused)},
		{"not run, unknown or unexpected", chart.Vermilion, values(oracle.NotRun, oracle.Unknown, client.Unexpected)},
	})
	if err != nil {
		return nil, err
	}
	return p, r.addMarks(p, top)
}

// latencyChart shows the latency over time.
func (r *Run) latencyChart(seconds []client.Second) (*plot.Plot, error) {
	p := r.newTimeChart("milliseconds")
	for _, curve := range []struct {
		name   string
		colour color.Color
		dashes []vg.Length
		of     func(client.Latency) time.Duration
	}{
		{"max", chart.Grey, nil, func(l client.Latency) time.Duration { return l.Max }},
		{"p99", chart.Vermilion, nil, func(l client.Latency) time.Duration { return l.P99 }},
		{"p90", chart.Orange, []vg.Length{vg.Points(6), vg.Points(2)}, func(l client.Latency) time.Duration { return l.P90 }},
		{"p50", chart.Blue, []vg.Length{vg.Points(2), vg.Points(2)}, func(l client.Latency) time.Duration { return l.P50 }},
	} {
		var points plotter.XYs
		for i, s := range seconds {
			if s.Count > 0 {
				points = append(points, plotter.XY{X: float64(i) + 0.5, Y: Milliseconds(curve.of(s.Latency))})
			}
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Dashes, line.Width = curve.colour, curve.dashes, vg.Points(2)
		p.Add(line)
		p.Legend.Add(curve.name, line)
	}
	setLogScale(&p.Y, p.Y.Min, p.Y.Max)
	top := p.Y.Max
	p.Y.Max *= 20 // leaves room for the legend
	p.Y.Tick.Marker = decadeTicks{top}
	grid := plotter.NewGrid()
	grid.Vertical.Width, grid.Horizontal.Color = 0, chart.LightGrey
	p.Add(grid)
	return p, r.addMarks(p, top)
}

// answersChart shows the latency of each operation and answer.
func (r *Run) answersChart() (*plot.Plot, error) {
	p := chart.New("milliseconds", "")
	lines := slices.Clone(r.Summary.Latencies)
	slices.Reverse(lines) // the first line is at the top
	var names []string
	low, high := math.Inf(1), 0.0
	for i, l := range lines {
		names = append(names, fmt.Sprintf("%s, %s", l.Op, l.Answer))
		low, high = min(low, l.P50), max(high, l.Max)
		span, err := plotter.NewLine(plotter.XYs{{X: l.P50, Y: float64(i)}, {X: l.Max, Y: float64(i)}})
		if err != nil {
			return nil, err
		}
		span.Color, span.Width = chart.Grey, vg.Points(1.5)
		p.Add(span)
	}
	for _, mark := range []struct {
		name   string
		shape  draw.GlyphDrawer
		colour color.Color
		of     func(LatencyLine) float64
	}{
		{"p50", draw.CircleGlyph{}, chart.Blue, func(l LatencyLine) float64 { return l.P50 }},
		{"p90", draw.SquareGlyph{}, chart.Orange, func(l LatencyLine) float64 { return l.P90 }},
		{"p99", draw.PyramidGlyph{}, chart.Vermilion, func(l LatencyLine) float64 { return l.P99 }},
		{"max", draw.RingGlyph{}, chart.Black, func(l LatencyLine) float64 { return l.Max }},
	} {
		var points plotter.XYs
		for i, l := range lines {
			points = append(points, plotter.XY{X: mark.of(l), Y: float64(i)})
		}
		scatter, err := plotter.NewScatter(points)
		if err != nil {
			return nil, err
		}
		scatter.GlyphStyle = draw.GlyphStyle{Shape: mark.shape, Color: mark.colour, Radius: vg.Points(4)}
		p.Add(scatter)
		p.Legend.Add(mark.name, scatter)
	}
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.6, float64(len(lines))+1.6 // leaves room for the legend
	setLogScale(&p.X, low, high)
	return p, nil
}
