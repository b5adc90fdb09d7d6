package plan

import (
	"encoding/json"
	"errors"
)

// Shape is what a plan draws beside its seats: a stage, a wall or a text. Lengths are in the plan's
// units. Members that do not apply to a shape are zero.
type Shape struct {
	Shape       string       `json:"shape"` // rectangle, circle, ellipse, polygon or text
	X           float64      `json:"x"`     // of the corner of a rectangle, and of the center of a circle or ellipse
	Y           float64      `json:"y"`
	Rotation    float64      `json:"rotation,omitempty"` // degrees, clockwise around X and Y
	Width       float64      `json:"width,omitempty"`    // of a rectangle
	Height      float64      `json:"height,omitempty"`
	RadiusX     float64      `json:"rx,omitempty"` // of a circle or an ellipse
	RadiusY     float64      `json:"ry,omitempty"`
	Points      [][2]float64 `json:"points,omitempty"` // of a polygon, relative to X and Y
	Color       string       `json:"color,omitempty"`  // as in CSS
	BorderColor string       `json:"border_color,omitempty"`
	Text        string       `json:"text,omitempty"`
	TextX       float64      `json:"text_x,omitempty"` // of the text's middle, relative to X and Y
	TextY       float64      `json:"text_y,omitempty"`
	TextSize    float64      `json:"text_size,omitempty"`
	TextColor   string       `json:"text_color,omitempty"`
}

// drawnPoint, drawnArea and drawnPlan are the members that Shapes reads.
type drawnPoint struct{ X, Y float64 }

type drawnArea struct {
	Shape       string     `json:"shape"`
	Position    drawnPoint `json:"position"`
	Rotation    float64    `json:"rotation"`
	Color       string     `json:"color"`
	BorderColor string     `json:"border_color"`
	Width       float64    `json:"width"`
	Height      float64    `json:"height"`
	Rectangle   struct{ Width, Height float64 }
	Circle      struct{ Radius float64 }
	Ellipse     struct{ Radius drawnPoint }
	Polygon     struct{ Points []drawnPoint }
	Text        struct {
		Text     string
		Position drawnPoint
		Size     float64
		Color    string
	}
}

type drawnPlan struct {
	Zones []struct {
		Position drawnPoint
		Areas    []drawnArea
	}
}

// Shapes returns the shapes of a plan that Parse accepts; none if it has the short form. It leaves
// out what is not as the format says: no seat depends on it.
func Shapes(raw []byte) ([]Shape, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var drawn drawnPlan
	err := json.Unmarshal(raw, &drawn)
	if mismatch := (*json.UnmarshalTypeError)(nil); err != nil && !errors.As(err, &mismatch) {
		return nil, err
	}
	var shapes []Shape
	for _, zone := range drawn.Zones {
		for _, area := range zone.Areas {
			shapes = append(shapes, area.in(zone.Position))
		}
	}
	return shapes, nil
}

// in returns the shape of an area in a zone at a position.
func (a *drawnArea) in(zone drawnPoint) Shape {
	s := Shape{
		Shape: a.Shape, X: zone.X + a.Position.X, Y: zone.Y + a.Position.Y, Rotation: a.Rotation, Color: a.Color, BorderColor: a.BorderColor,
		Text: a.Text.Text, TextX: a.Text.Position.X, TextY: a.Text.Position.Y, TextSize: a.Text.Size, TextColor: a.Text.Color,
	}
	switch a.Shape {
	case "rectangle":
		s.Width, s.Height = max(a.Width, a.Rectangle.Width), max(a.Height, a.Rectangle.Height)
	case "circle":
		s.RadiusX, s.RadiusY = a.Circle.Radius, a.Circle.Radius
	case "ellipse":
		s.RadiusX, s.RadiusY = a.Ellipse.Radius.X, a.Ellipse.Radius.Y
	case "polygon":
		for _, point := range a.Polygon.Points {
			s.Points = append(s.Points, [2]float64{point.X, point.Y})
		}
	}
	return s
}
