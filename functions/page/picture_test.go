package page_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"booking/functions/internal/catalog"
	"booking/seatlock"
)

var picture = flag.String("picture", "", "the file to which TestPage_ShowsAPlayhouse writes its PNG, which README shows; empty: none")

// at is a point of a plan. Its origin is the middle of the stage's front.
type at struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// polar returns the point at a distance, and degrees to the right of the hall's middle.
func polar(distance, degrees float64) at {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return at{distance * sin, distance * cos}
}

// The members of a plan in the format of seats.pretix.eu.
type (
	hallSeat struct {
		ID       string `json:"seat_guid"`
		Number   string `json:"seat_number"`
		Position at     `json:"position"`
		Category string `json:"category"`
	}
	hallRow struct {
		Label    string     `json:"row_number"`
		Position at         `json:"position"`
		Seats    []hallSeat `json:"seats"`
	}
	hallZone struct {
		Name     string           `json:"name"`
		Position at               `json:"position"`
		Rows     []hallRow        `json:"rows"`
		Areas    []map[string]any `json:"areas"`
	}
)

// add adds the next seat of a row.
func (z *hallZone) add(r *hallRow, category string, position at) {
	number := fmt.Sprint(len(r.Seats) + 1)
	r.Seats = append(r.Seats, hallSeat{z.Name + "-" + r.Label + "-" + number, number, position, category})
}

// arcs adds rows of curved blocks. The blocks are angles, each from and to.
func (z *hallZone) arcs(labels string, distance float64, blocks [][2]float64, category func(label rune) string) {
	const spacing = 25
	for _, label := range labels {
		row := hallRow{Label: string(label)}
		step := spacing / distance * 180 / math.Pi
		for _, block := range blocks {
			count := math.Floor((block[1]-block[0])/step) + 1
			for n := range int(count) {
				z.add(&row, category(label), polar(distance, (block[0]+block[1])/2+(float64(n)-(count-1)/2)*step))
			}
		}
		z.Rows = append(z.Rows, row)
		distance += 30
	}
}

// playhouse returns the zones of a theatre with stalls, a circle and boxes.
func playhouse() []hallZone {
	stalls := hallZone{Name: "Stalls", Areas: []map[string]any{{
		"shape": "polygon", "position": at{0, 190}, "color": "#8d8a94",
		"polygon": map[string]any{"points": []at{{-250, -60}, {250, -60}, {210, 0}, {110, 38}, {0, 50}, {-110, 38}, {-210, 0}}},
		"text":    map[string]any{"text": "Stage", "position": at{0, -10}, "size": 26, "color": "#ffffff"},
	}}}
	stalls.arcs("ABCDEFGHJKLMNPQR", 300, [][2]float64{{-37, -13.5}, {-12, 12}, {13.5, 37}}, func(label rune) string {
		if label <= 'F' {
			return "Premium"
		}
		return "Stalls"
	})
	back := stalls.Rows[len(stalls.Rows)-1].Seats
	for _, n := range []int{0, 1, len(back) - 2, len(back) - 1} {
		back[n].Category = "Wheelchair"
	}
	circle := hallZone{Name: "Circle"}
	circle.arcs("ABCDEFGH", 820, [][2]float64{{-39, -20.5}, {-19.5, -0.7}, {0.7, 19.5}, {20.5, 39}}, func(rune) string { return "Circle" })
	boxes := hallZone{Name: "Boxes"}
	for n, side := range []float64{-1, 1} {
		for box := range 5 {
			row := hallRow{Label: fmt.Sprint(2*box + n + 1)}
			distance := 330 + 88*float64(box)
			for seat := range 3 {
				boxes.add(&row, "Box", polar(distance+24*float64(seat), side*43))
			}
			boxes.Rows = append(boxes.Rows, row)
			corner := polar(distance-18, side*43)
			boxes.Areas = append(boxes.Areas, map[string]any{
				"shape": "polygon", "position": corner, "rotation": -side * 43, "border_color": "#8d8a94",
				"polygon": map[string]any{"points": []at{{-18, 0}, {18, 0}, {18, 84}, {-18, 84}}},
			})
		}
	}
	return []hallZone{stalls, circle, boxes}
}

// sell sells some seats of each row but those of except, and holds others.
func (b *testBundle) sell(t *testing.T, zones []hallZone, except ...string) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 7))
	buyer := 0
	for _, z := range zones {
		for n, row := range z.Rows {
			rest := row.Seats
			for len(rest) > 0 {
				size := min(1+random.IntN(4), len(rest))
				var group []string
				for _, s := range rest[:size] {
					if !slices.Contains(except, s.ID) {
						group = append(group, s.ID)
					}
				}
				rest = rest[size:]
				if len(group) == 0 || random.Float64() < 0.35+0.4*float64(n)/float64(len(z.Rows)) {
					continue
				}
				buyer++
				user := fmt.Sprint("buyer-", buyer)
				_, err := b.locker.Reserve(t.Context(), seatlock.DefaultEvent, group, user)
				require.NoError(t, err)
				if random.Float64() < 0.85 {
					require.NoError(t, b.locker.Buy(t.Context(), seatlock.DefaultEvent, group, user))
				}
			}
		}
	}
}

// reduce returns the picture in its 256 most frequent colors: its file is a third as large, and looks
// the same.
func reduce(full image.Image) *image.Paletted {
	counts := map[color.Color]int{}
	area := full.Bounds()
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			counts[full.At(x, y)]++
		}
	}
	colors := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	reduced := image.NewPaletted(area, colors[:min(len(colors), 256)])
	draw.Draw(reduced, area, full, area.Min, draw.Src)
	return reduced
}

// The test makes the picture of README, too: see -picture.
func TestPage_ShowsAPlayhouse(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	zones := playhouse()
	raw, err := json.Marshal(map[string]any{"name": "Playhouse", "zones": zones, "categories": []map[string]string{
		{"name": "Premium", "color": "#7b4fa3"}, {"name": "Stalls", "color": "#2f6fb5"}, {"name": "Circle", "color": "#2b8a6b"},
		{"name": "Box", "color": "#b5622a"}, {"name": "Wheelchair", "color": "#0f8b9d"}}})
	require.NoError(t, err)
	stored, err := catalog.Store(raw, nil)
	require.NoError(t, err)
	_, _, err = b.locker.PutEvent(t.Context(), seatlock.DefaultEvent, seatlock.Put{
		Document: []byte(`{"title":"Twelfth Night","starts_at":"2027-03-20T19:30:00Z"}`), Plan: stored})
	require.NoError(t, err)
	held, chosen := []string{"Stalls-F-11", "Stalls-F-12", "Stalls-F-13"}, []string{"Stalls-H-14", "Stalls-H-15"}
	b.sell(t, zones, append(held, chosen...)...)

	ann := b.open(t, "ann")
	ann.run(t, chromedp.EmulateViewport(1280, 800))
	ann.hold(t, held...)
	ann.shows(t, "held", held...)
	ann.choose(t, chosen...)
	ann.shows(t, "chosen", chosen...)
	ann.waitFor(t, `document.getElementById('buy').ariaDisabled === null`)
	shot, err := chromedp.Run(ann.ctx, chromedp.CaptureScreenshot())
	require.NoError(t, err)
	ann.hasNoMessages(t)
	shown, err := png.Decode(bytes.NewReader(shot))
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 1280, 800), shown.Bounds())
	if *picture == "" {
		return
	}
	var file bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&file, reduce(shown)))
	require.NoError(t, os.WriteFile(*picture, file.Bytes(), 0o644))
}
