package report

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"math"
	"slices"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"booking/functions/cmd/rush/internal/history"
	"booking/seatlock/oracle"
)

// Colours that people who confuse some tell apart, and a printer in grey (Okabe and
// Ito, https://jfly.uni-koeln.de/color/).
var (
	blue      = color.RGBA{0x00, 0x72, 0xb2, 0xff}
	orange    = color.RGBA{0xe6, 0x9f, 0x00, 0xff}
	vermilion = color.RGBA{0xd5, 0x5e, 0x00, 0xff}
	sky       = color.RGBA{0x9f, 0xd4, 0xf3, 0xff}
	grey      = color.RGBA{0xb8, 0xb8, 0xb8, 0xff}
	black     = color.RGBA{0x20, 0x20, 0x20, 0xff}
)

// sans is the family that every viewer has one of; the letters are laid out as
// those of Liberation Sans, which are as wide as Arial's.
const sans = "Liberation Sans, Arial, Helvetica, sans-serif"

// newPlot returns an empty picture. Its title stands in the page, not within.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, style := range []*font.Font{&p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		style.Typeface, style.Variant, style.Size = "Liberation", "Sans", vg.Points(11)
	}
	p.X.Padding, p.Y.Padding = 0, 0
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.ThumbnailWidth = vg.Points(18)
	p.Legend.Padding = vg.Points(3)
	return p
}

// overTime is a picture of the whole run.
func (r *Run) overTime(y string) *plot.Plot {
	p := newPlot("seconds since the doors opened", y)
	end := math.Ceil(r.Summary.Seconds)
	p.X.Min, p.X.Max = 0, end
	p.X.Tick.Marker = upTo{0, end}
	return p
}

// dark gives a picture other colours where its reader prefers a dark ground: to the
// ground, text and lines. The areas are told apart on both. What does not know the
// style shows the picture on white.
const dark = `<style>
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
[style*="fill:#FFFFFF"] { fill: #161b22 !important }
[style*="stroke:#000000"], [style*="stroke:#202020"] { stroke: #e6edf3 !important }
[style*="stroke:#E4E4E4"] { stroke: #3b444e !important }
}
</style>
`

// svg draws p. Who can't see it is told the title and the description.
func svg(p *plot.Plot, wide, high vg.Length, title, description string) ([]byte, error) {
	canvas := vgsvg.NewWith(vgsvg.UseWH(wide, high))
	p.Draw(draw.Crop(draw.New(canvas), vg.Points(2), vg.Points(-16), vg.Points(2), vg.Points(-4)))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	told := fmt.Sprintf(" role=\"img\">\n<title>%s</title>\n<desc>%s</desc>\n%s", html.EscapeString(title), html.EscapeString(description), dark)
	head, rest, found := bytes.Cut(b.Bytes(), []byte("<svg"))
	attributes, body, closed := bytes.Cut(rest, []byte(">"))
	if !found || !closed {
		return nil, fmt.Errorf("no picture: %.40q", b.Bytes())
	}
	return slices.Concat(head, []byte("<svg"), attributes, []byte(told), bytes.ReplaceAll(body, []byte("font-family:Liberation Sans"), []byte("font-family:"+sans))), nil
}

// band is one of several areas that stand on each other.
type band struct {
	name   string
	colour color.Color
	values []float64
}

// stack draws bands on each other, the first lowest; all have a value for each x. It
// returns how high they get.
func stack(p *plot.Plot, x []float64, bands []band) (highest float64, err error) {
	top := make([]float64, len(x))
	type area struct {
		name string
		poly *plotter.Polygon
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
		poly, err := plotter.NewPolygon(outline)
		if err != nil {
			return 0, err
		}
		poly.Color, poly.LineStyle.Width = b.colour, vg.Points(0.5)
		poly.LineStyle.Color = black
		p.Add(poly)
		areas = append(areas, area{b.name, poly})
	}
	for _, a := range slices.Backward(areas) { // as they lie
		p.Legend.Add(a.name, a.poly)
	}
	p.Y.Min, p.Y.Max = 0, highest*1.45+1 // the legend stands above
	p.Y.Tick.Marker = upTo{0, highest}
	return highest, nil
}

// strikes draws a line where each fault was made to happen, as high as top.
func (r *Run) strikes(p *plot.Plot, top float64) error {
	for _, strike := range r.Summary.Strikes {
		line, err := plotter.NewLine(plotter.XYs{{X: strike.At, Y: p.Y.Min}, {X: strike.At, Y: top}})
		if err != nil {
			return err
		}
		line.Color, line.Dashes, line.Width = black, []vg.Length{vg.Points(4), vg.Points(3)}, vg.Points(1)
		p.Add(line)
	}
	if len(r.Summary.Strikes) > 0 {
		line := &plotter.Line{LineStyle: draw.LineStyle{Color: black, Dashes: []vg.Length{vg.Points(4), vg.Points(3)}, Width: vg.Points(1)}}
		p.Legend.Add("a fault of Redis", line)
	}
	return nil
}

// seats is how the hall stood over time.
func (r *Run) seats() (*plot.Plot, error) {
	p := r.overTime("seats")
	x := make([]float64, len(r.Sightings))
	sold, held, free := make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x))
	for i, seen := range r.Sightings {
		x[i] = seen.At.Seconds()
		sold[i], held[i] = float64(seen.Sold), float64(seen.Held)
		free[i] = float64(r.Summary.Seats - seen.Sold - seen.Held)
	}
	top, err := stack(p, x, []band{{"sold", blue, sold}, {"held", orange, held}, {"free", color.White, free}})
	if err != nil {
		return nil, err
	}
	return p, r.strikes(p, top)
}

// requests is how many were answered each second.
func (r *Run) requests(seconds []history.Second) (*plot.Plot, error) {
	p := r.overTime("requests a second")
	// Each second is a step.
	var x []float64
	for i := range seconds {
		x = append(x, float64(i), float64(i+1))
	}
	values := func(of ...oracle.Outcome) []float64 {
		var v []float64
		for _, s := range seconds {
			n := 0
			for _, o := range of {
				n += s.Outcomes[o]
			}
			v = append(v, float64(n), float64(n))
		}
		return v
	}
	top, err := stack(p, x, []band{
		{"done", blue, values(oracle.Done)},
		{"refused", sky, values(oracle.Refused)},
		{"not run, unknown or unexpected", vermilion, values(oracle.NotRun, oracle.Unknown, history.Unexpected)},
	})
	if err != nil {
		return nil, err
	}
	return p, r.strikes(p, top)
}

// latencies is how long answers took, over time.
func (r *Run) latencies(seconds []history.Second) (*plot.Plot, error) {
	p := r.overTime("milliseconds")
	for _, curve := range []struct {
		name   string
		colour color.Color
		dashes []vg.Length
		of     func(history.Latency) time.Duration
	}{
		{"slowest", grey, nil, func(l history.Latency) time.Duration { return l.Max }},
		{"99 % faster", vermilion, nil, func(l history.Latency) time.Duration { return l.P99 }},
		{"90 % faster", orange, []vg.Length{vg.Points(6), vg.Points(2)}, func(l history.Latency) time.Duration { return l.P90 }},
		{"half faster", blue, []vg.Length{vg.Points(2), vg.Points(2)}, func(l history.Latency) time.Duration { return l.P50 }},
	} {
		var points plotter.XYs
		for i, s := range seconds {
			if s.Count > 0 {
				points = append(points, plotter.XY{X: float64(i) + 0.5, Y: MS(curve.of(s.Latency))})
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
	logarithmic(&p.Y, p.Y.Min, p.Y.Max)
	top := p.Y.Max
	p.Y.Max *= 20 // the legend stands above
	p.Y.Tick.Marker = decades{top}
	p.Add(horizontal())
	return p, r.strikes(p, top)
}

// operations is how long answers took, by what was asked and what came of it.
func (r *Run) operations() (*plot.Plot, error) {
	p := newPlot("milliseconds", "")
	lines := slices.Clone(r.Summary.Latencies)
	slices.Reverse(lines) // the first on top
	var names []string
	low, high := math.Inf(1), 0.0
	for i, l := range lines {
		names = append(names, fmt.Sprintf("%s, %s", l.Op, l.Outcome))
		low, high = min(low, l.P50), max(high, l.Max)
		span, err := plotter.NewLine(plotter.XYs{{X: l.P50, Y: float64(i)}, {X: l.Max, Y: float64(i)}})
		if err != nil {
			return nil, err
		}
		span.Color, span.Width = grey, vg.Points(1.5)
		p.Add(span)
	}
	for _, mark := range []struct {
		name   string
		shape  draw.GlyphDrawer
		colour color.Color
		of     func(LatencyLine) float64
	}{
		{"half faster", draw.CircleGlyph{}, blue, func(l LatencyLine) float64 { return l.P50 }},
		{"90 % faster", draw.SquareGlyph{}, orange, func(l LatencyLine) float64 { return l.P90 }},
		{"99 % faster", draw.PyramidGlyph{}, vermilion, func(l LatencyLine) float64 { return l.P99 }},
		{"slowest", draw.RingGlyph{}, black, func(l LatencyLine) float64 { return l.Max }},
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
	p.Y.Min, p.Y.Max = -0.6, float64(len(lines))+1.6 // the legend stands above
	logarithmic(&p.X, low, high)
	return p, nil
}

func horizontal() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical.Width = 0
	g.Horizontal.Color = color.RGBA{0xe4, 0xe4, 0xe4, 0xff}
	return g
}

// logarithmic makes an axis run over whole powers of ten.
func logarithmic(a *plot.Axis, low, high float64) {
	low = math.Pow(10, math.Floor(math.Log10(max(low, 0.001))))
	high = math.Pow(10, math.Ceil(math.Log10(max(high, low*1.01))))
	a.Min, a.Max = low, high
	a.Scale = plot.LogScale{}
	a.Tick.Marker = decades{high}
}

// decades marks each power of ten up to the last with its number.
type decades struct{ last float64 }

func (d decades) Ticks(low, _ float64) []plot.Tick {
	var ticks []plot.Tick
	for v := low; v <= d.last*1.001; v *= 10 {
		ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', -1, 64)})
		for n := 2; n < 10 && v*float64(n) < d.last; n++ {
			ticks = append(ticks, plot.Tick{Value: v * float64(n)})
		}
	}
	return ticks
}

// upTo marks round numbers from the first to the last.
type upTo struct{ first, last float64 }

func (u upTo) Ticks(_, _ float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10(max(u.last, 1))))
	for _, part := range []float64{10, 5, 2} {
		if u.last/(step/part) <= 10 && step/part >= 1 {
			step /= part
			break
		}
	}
	ticks := []plot.Tick{{Value: u.first, Label: Count(int(u.first))}}
	for v := step; v <= u.last; v += step {
		if v > u.first+step/3 {
			ticks = append(ticks, plot.Tick{Value: v, Label: Count(int(v))})
		}
	}
	return ticks
}
