package page

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"unicode/utf8"

	"booking/functions/internal/plan"
)

// Drawing is what the page draws of an event. Lengths are in units of the drawing; everything lies
// within its size.
type Drawing struct {
	Size       [2]float64      `json:"size"` // width and height
	Categories []plan.Category `json:"categories"`
	Zones      []Zone          `json:"zones"`
	Shapes     []plan.Shape    `json:"shapes"`
	Areas      []Area          `json:"areas"`
}

// Zone is a zone of rows of seats.
type Zone struct {
	Name string `json:"name"`
	Rows []Row  `json:"rows"`
}

// Row is a row of seats. Its slices have a value for each seat.
type Row struct {
	Label      string    `json:"label"`
	IDs        []string  `json:"ids"`
	Numbers    []string  `json:"numbers"`    // the labels of the seats within the row
	Categories []int     `json:"categories"` // positions in Drawing.Categories; -1: none
	X          []float64 `json:"x"`          // of the seats' centers
	Y          []float64 `json:"y"`
}

// Area is general admission. Its places are area_id.1 to area_id.capacity.
type Area struct {
	ID       string `json:"area_id"`
	Capacity int    `json:"capacity"`
	Category int    `json:"category"` // as in Row.Categories
}

// palette has the colors of the categories that have none.
var palette = []string{"#3b6fd4", "#d9822b", "#2f9e6e", "#a347ba", "#c23b5a", "#0f8b9d", "#8a7a1f", "#6b6f7a"}

// defaultTextSize is the size of a text that has none.
const defaultTextSize = 14.0

// newDrawing draws a plan and its shapes. A plan that has every seat is drawn as an example.
func newDrawing(p *plan.Plan, shapes []plan.Shape) Drawing {
	if p.Len() == 0 {
		p, _ = plan.ParseShort("1-12:A-H")
	}
	d := Drawing{Categories: append([]plan.Category{}, p.Categories()...), Zones: []Zone{}, Shapes: append([]plan.Shape{}, shapes...), Areas: []Area{}}
	positions := map[string]int{"": -1} // in d.Categories
	for i := range d.Categories {
		c := &d.Categories[i]
		positions[c.Name] = i
		if c.Color == "" {
			c.Color = palette[i%len(palette)]
		}
	}
	seats, stop := iter.Pull(p.Seats())
	defer stop()
	for _, r := range p.Rows() {
		row := Row{Label: r.Label, IDs: r.SeatIDs}
		zone := ""
		for range r.SeatIDs {
			seat, _ := seats()
			zone = seat.Zone
			row.Numbers = append(row.Numbers, seat.Number)
			row.Categories = append(row.Categories, positions[seat.Category])
			if p.IsDrawn() {
				row.X, row.Y = append(row.X, seat.X), append(row.Y, seat.Y)
			}
		}
		if !p.IsDrawn() {
			zone, row.Label = zoneOf(r.Label)
		}
		if n := len(d.Zones); n == 0 || d.Zones[n-1].Name != zone {
			d.Zones = append(d.Zones, Zone{Name: zone})
		}
		z := &d.Zones[len(d.Zones)-1]
		z.Rows = append(z.Rows, row)
	}
	for _, a := range p.Areas() {
		d.Areas = append(d.Areas, Area{ID: a.ID, Capacity: a.Capacity, Category: positions[a.Category]})
	}
	if !p.IsDrawn() && len(d.Zones) > 0 {
		d.Shapes = []plan.Shape{arrange(d.Zones)}
	}
	d.fit()
	return d
}

// fit moves everything so that it begins at the margin, and sets the size.
func (d *Drawing) fit() {
	low, high := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	include := func(x, y float64) {
		low[0], low[1] = min(low[0], x), min(low[1], y)
		high[0], high[1] = max(high[0], x), max(high[1], y)
	}
	for _, z := range d.Zones {
		for _, row := range z.Rows {
			for n := range row.IDs {
				include(row.X[n], row.Y[n])
			}
		}
	}
	for _, s := range d.Shapes {
		for _, corner := range corners(s) {
			include(corner[0], corner[1])
		}
	}
	if low[0] > high[0] {
		low, high = [2]float64{}, [2]float64{}
	}
	round := func(v float64) float64 { return math.Round(v*10) / 10 }
	for _, z := range d.Zones {
		for _, row := range z.Rows {
			for n := range row.IDs {
				row.X[n], row.Y[n] = round(row.X[n]-low[0]+margin), round(row.Y[n]-low[1]+margin)
			}
		}
	}
	for i := range d.Shapes {
		s := &d.Shapes[i]
		s.X, s.Y = round(s.X-low[0]+margin), round(s.Y-low[1]+margin)
	}
	d.Size = [2]float64{math.Ceil(high[0] - low[0] + 2*margin), math.Ceil(high[1] - low[1] + 2*margin)}
}

// corners returns points around a shape and its text.
func corners(s plan.Shape) [][2]float64 {
	points := s.Points
	switch {
	case s.RadiusX > 0 || s.RadiusY > 0:
		points = [][2]float64{{-s.RadiusX, -s.RadiusY}, {s.RadiusX, -s.RadiusY}, {s.RadiusX, s.RadiusY}, {-s.RadiusX, s.RadiusY}}
	case len(points) == 0:
		points = [][2]float64{{0, 0}, {s.Width, 0}, {s.Width, s.Height}, {0, s.Height}}
	}
	if s.Text != "" {
		// The size of a text is about the height of its letters, which are a little narrower than high.
		size := cmp.Or(s.TextSize, defaultTextSize)
		x, y := size*0.7*float64(utf8.RuneCountInString(s.Text))/2, size/2
		points = slices.Concat(points, [][2]float64{{s.TextX - x, s.TextY - y}, {s.TextX + x, s.TextY - y}, {s.TextX + x, s.TextY + y}, {s.TextX - x, s.TextY + y}})
	}
	sin, cos := math.Sincos(s.Rotation * math.Pi / 180)
	around := make([][2]float64, len(points))
	for i, at := range points {
		around[i] = [2]float64{s.X + at[0]*cos - at[1]*sin, s.Y + at[0]*sin + at[1]*cos}
	}
	return around
}
