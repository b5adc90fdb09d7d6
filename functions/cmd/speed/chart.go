package main

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours that people who confuse some tell apart, and a printer in grey (Okabe and
// Ito, https://jfly.uni-koeln.de/color/).
var (
	blue   = color.RGBA{0x00, 0x72, 0xb2, 0xff}
	orange = color.RGBA{0xe6, 0x9f, 0x00, 0xff}
)

// sans is the family that every viewer has one of; the letters are laid out as those
// of Liberation Sans, which are as wide as Arial's.
const sans = "Liberation Sans, Arial, Helvetica, sans-serif"

// chart draws the cost of a request as SVG: for each workload the no-op, and beside
// it the service with Redis on top.
func chart(r *Result) ([]byte, error) {
	p := plot.New()
	p.Y.Label.Text = "CPU µs a request"
	for _, f := range []*font.Font{&p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		f.Typeface, f.Variant, f.Size = "Liberation", "Sans", vg.Points(12)
	}
	var names []string
	var service, redis, noop plotter.Values
	highest := 0.0
	for _, c := range r.Costs {
		names = append(names, c.Workload)
		service, redis, noop = append(service, c.ServiceMicros), append(redis, c.RedisMicros), append(noop, c.NoopMicros)
		highest = max(highest, c.ServiceMicros+c.RedisMicros, c.NoopMicros)
	}
	const width = 46 // points
	var under *plotter.BarChart
	for _, bars := range []struct {
		name   string
		values plotter.Values
		colour color.Color
		offset vg.Length
		stack  bool
	}{
		{"a server that does nothing", noop, color.White, -width / 2, false},
		{"the service", service, blue, width / 2, false},
		{"Redis", redis, orange, 0, true},
	} {
		chart, err := plotter.NewBarChart(bars.values, vg.Points(width))
		if err != nil {
			return nil, err
		}
		chart.Color, chart.Offset, chart.LineStyle.Width = bars.colour, bars.offset, vg.Points(1)
		if bars.stack {
			chart.StackOn(under)
		}
		under = chart
		p.Add(chart)
		p.Legend.Add(bars.name, chart)
	}
	ratios := plotter.XYLabels{}
	for i, c := range r.Costs {
		ratios.XYs = append(ratios.XYs, plotter.XY{X: float64(i), Y: c.ServiceMicros + c.RedisMicros})
		ratios.Labels = append(ratios.Labels, fmt.Sprintf("%.2f ×", c.Ratio))
	}
	labels, err := plotter.NewLabels(ratios)
	if err != nil {
		return nil, err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].Font = p.Legend.TextStyle.Font
		labels.TextStyle[i].XAlign = draw.XCenter
	}
	labels.Offset = vg.Point{X: vg.Points(width / 2), Y: vg.Points(5)}
	p.Add(labels)
	p.NominalX(names...)
	p.X.Min, p.X.Max = -0.6, float64(len(names))-0.4
	p.Y.Min, p.Y.Max = 0, highest*1.5 // the legend stands above
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Points(3)

	canvas := vgsvg.NewWith(vgsvg.UseWH(vg.Points(420), vg.Points(290)))
	p.Draw(draw.Crop(draw.New(canvas), vg.Points(4), vg.Points(-4), vg.Points(4), vg.Points(-4)))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	return told(b.Bytes(), "What a request costs", r.describe())
}

// describe says what the chart shows.
func (r *Result) describe() string {
	var b strings.Builder
	b.WriteString("CPU time a request.")
	for _, c := range r.Costs {
		fmt.Fprintf(&b, " %s: the service %.1f µs and Redis %.1f µs, a server that does nothing %.1f µs; %.2f times as much.",
			c.Workload, c.ServiceMicros, c.RedisMicros, c.NoopMicros, c.Ratio)
	}
	return b.String()
}

// told gives a picture a title and a description, for those who can't see it.
func told(svg []byte, title, description string) ([]byte, error) {
	start := bytes.Index(svg, []byte("<svg"))
	if start < 0 {
		return nil, errors.New("no picture was drawn")
	}
	end := start + bytes.IndexByte(svg[start:], '>')
	words := fmt.Sprintf(" role=\"img\">\n<title>%s</title>\n<desc>%s</desc>", html.EscapeString(title), html.EscapeString(description))
	svg = slices.Concat(svg[:end], []byte(words), svg[end+1:])
	return bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans"), []byte("font-family:"+sans)), nil
}
