package plan_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/plan"
)

func TestShapes_AddsPositions(t *testing.T) {
	t.Parallel()
	shapes, err := plan.Shapes([]byte(`{"zones":[{"position":{"x":100,"y":200},"rows":[],"areas":[
		{"shape":"rectangle","position":{"x":-20,"y":5},"rotation":90,"color":"#ddd","border_color":"#555","rectangle":{"width":480,"height":50},
		 "text":{"position":{"x":240,"y":25},"color":"#333","text":"Stage","size":18}},
		{"shape":"circle","position":{"x":1,"y":2},"circle":{"radius":25}},
		{"shape":"ellipse","position":{"x":1,"y":2},"ellipse":{"radius":{"x":30,"y":20}}},
		{"shape":"polygon","position":{"x":0,"y":0},"polygon":{"points":[{"x":0,"y":0},{"x":4,"y":8}]}}]}]}`))
	require.NoError(t, err)
	require.Equal(t, []plan.Shape{
		{Shape: "rectangle", X: 80, Y: 205, Rotation: 90, Width: 480, Height: 50, Color: "#ddd", BorderColor: "#555",
			Text: "Stage", TextX: 240, TextY: 25, TextSize: 18, TextColor: "#333"},
		{Shape: "circle", X: 101, Y: 202, RadiusX: 25, RadiusY: 25},
		{Shape: "ellipse", X: 101, Y: 202, RadiusX: 30, RadiusY: 20},
		{Shape: "polygon", X: 100, Y: 200, Points: [][2]float64{{0, 0}, {4, 8}}},
	}, shapes)
}

func TestShapes_ReadsTheatre(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/theatre.json")
	require.NoError(t, err)
	shapes, err := plan.Shapes(raw)
	require.NoError(t, err)
	var texts []string
	for _, s := range shapes {
		texts = append(texts, s.Text)
	}
	require.Equal(t, []string{"Stage", "Aisle", "First balcony", "Second balcony", "1", "2", "3", "Bar", "Cloakroom"}, texts)
}

// A wrong member costs its own shape's looks, and no seat.
func TestShapes_LeavesOutWhatIsWrong(t *testing.T) {
	t.Parallel()
	shapes, err := plan.Shapes([]byte(`{"zones":[{"areas":[{"shape":"circle","circle":{"radius":"wide"}},{"shape":"text","text":{"text":"Bar"}}]}]}`))
	require.NoError(t, err)
	require.Equal(t, []plan.Shape{{Shape: "circle"}, {Shape: "text", Text: "Bar"}}, shapes)
	for _, raw := range []string{`"1-12:A-H"`, `null`, ``} {
		shapes, err := plan.Shapes([]byte(raw))
		require.NoError(t, err)
		require.Empty(t, shapes)
	}
	_, err = plan.Shapes([]byte(`{`))
	require.Error(t, err)
}
