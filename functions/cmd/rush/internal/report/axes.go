package report

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// setLogScale makes an axis logarithmic, from a power of ten to another.
func setLogScale(a *plot.Axis, low, high float64) {
	low = math.Pow(10, math.Floor(math.Log10(max(low, 0.001))))
	high = math.Pow(10, math.Ceil(math.Log10(max(high, low*1.01))))
	a.Min, a.Max = low, high
	a.Scale = plot.LogScale{}
	a.Tick.Marker = decadeTicks{high}
}

// decadeTicks puts a label at each power of ten up to last.
type decadeTicks struct{ last float64 }

// Ticks implements plot.Ticker.
func (d decadeTicks) Ticks(low, _ float64) []plot.Tick {
	var ticks []plot.Tick
	for v := low; v <= d.last*1.001; v *= 10 {
		ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', -1, 64)})
		for n := 2; n < 10 && v*float64(n) < d.last; n++ {
			ticks = append(ticks, plot.Tick{Value: v * float64(n)})
		}
	}
	return ticks
}

// roundTicks puts labels at about ten round numbers, and at first.
type roundTicks struct{ first, last float64 }

// Ticks implements plot.Ticker.
func (r roundTicks) Ticks(_, _ float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10(max(r.last, 1))))
	for _, part := range []float64{10, 5, 2} {
		if r.last/(step/part) <= 10 && step/part >= 1 {
			step /= part
			break
		}
	}
	ticks := []plot.Tick{{Value: r.first, Label: Count(int(r.first))}}
	for v := step; v <= r.last; v += step {
		if v > r.first+step/3 {
			ticks = append(ticks, plot.Tick{Value: v, Label: Count(int(v))})
		}
	}
	return ticks
}

// nameTicks puts names at 1, 2, …; if there are more than limit, at every second,
// third, ….
type nameTicks struct {
	names []string
	limit int
}

// Ticks implements plot.Ticker.
func (n nameTicks) Ticks(_, _ float64) []plot.Tick {
	step := (len(n.names) + n.limit - 1) / n.limit
	var ticks []plot.Tick
	for i := 0; i < len(n.names); i += step {
		ticks = append(ticks, plot.Tick{Value: float64(i + 1), Label: n.names[i]})
	}
	return ticks
}
