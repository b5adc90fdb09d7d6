package main

import (
	"fmt"
	"image/color"
	"strings"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"booking/functions/cmd/internal/chart"
)

// chart draws the CPU time per call as SVG: for each workload the no-op, and next to it
// the service with Redis on top.
func (r *Result) chart() ([]byte, error) {
	p := chart.New("", "CPU µs per call")
	var names []string
	var service, redis, noop plotter.Values
	highest := 0.0
	for _, c := range r.Costs {
		names = append(names, c.Workload)
		service, redis, noop = append(service, c.ServiceMicros), append(redis, c.RedisMicros), append(noop, c.NoopMicros)
		highest = max(highest, c.ServiceMicros+c.RedisMicros, c.NoopMicros)
	}
	const width = 46 // points
	var below *plotter.BarChart
	for _, bars := range []struct {
		name   string
		values plotter.Values
		colour color.Color
		offset vg.Length
		stack  bool
	}{
		{"no-op", noop, color.White, -width / 2, false},
		{"service", service, chart.Blue, width / 2, false},
		{"Redis", redis, chart.Orange, 0, true},
	} {
		b, err := plotter.NewBarChart(bars.values, vg.Points(width))
		if err != nil {
			return nil, err
		}
		b.Color, b.Offset, b.LineStyle.Width = bars.colour, bars.offset, vg.Points(1)
		if bars.stack {
			b.StackOn(below)
		}
		below = b
		p.Add(b)
		p.Legend.Add(bars.name, b)
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
	p.X.Padding = vg.Points(5) // between the axis and the names
	p.X.Min, p.X.Max = -0.6, float64(len(names))-0.4
	p.Y.Min, p.Y.Max = 0, highest*1.5 // leaves room for the legend
	return chart.SVG(p, vg.Points(420), vg.Points(290), "CPU time per call", r.describe())
}

// describe says in words what the chart shows.
func (r *Result) describe() string {
	var b strings.Builder
	b.WriteString("CPU time per call.")
	for _, c := range r.Costs {
		fmt.Fprintf(&b, " %s: service %.1f µs, Redis %.1f µs, no-op %.1f µs; ratio %.2f.", c.Workload, c.ServiceMicros, c.RedisMicros, c.NoopMicros, c.Ratio)
	}
	return b.String()
}
