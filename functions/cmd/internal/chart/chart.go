// Package chart draws the charts of the commands as SVG. They can be read in print, on
// a dark background, with colour blindness, and by a screen reader.
package chart

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours that differ with colour blindness and in greyscale, mostly those of Okabe and
// Ito (https://jfly.uni-koeln.de/color/).
var (
	Blue      = color.RGBA{0x00, 0x72, 0xb2, 0xff}
	Orange    = color.RGBA{0xe6, 0x9f, 0x00, 0xff}
	Vermilion = color.RGBA{0xd5, 0x5e, 0x00, 0xff}
	LightBlue = color.RGBA{0x9f, 0xd4, 0xf3, 0xff}
	Grey      = color.RGBA{0xb8, 0xb8, 0xb8, 0xff}
	LightGrey = color.RGBA{0xe4, 0xe4, 0xe4, 0xff} // for grid lines
	Black     = color.RGBA{0x20, 0x20, 0x20, 0xff}
)

// typeface is the font by which gonum lays out the letters. Arial and Helvetica have
// the same widths.
const typeface = "Liberation Sans"

// New returns an empty plot with labels on its axes. The title belongs to SVG.
func New(x, y string) *plot.Plot {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, f := range []*font.Font{&p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		f.Typeface, f.Variant, f.Size = "Liberation", "Sans", vg.Points(11)
	}
	p.X.Padding, p.Y.Padding = 0, 0
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.ThumbnailWidth = vg.Points(18)
	p.Legend.Padding = vg.Points(3)
	return p
}

// darkStyle changes the background, text and lines for readers who prefer dark. The
// other colours are visible on both backgrounds.
const darkStyle = `<style>
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
[style*="fill:#FFFFFF"] { fill: #161b22 !important }
[style*="stroke:#000000"], [style*="stroke:#202020"] { stroke: #e6edf3 !important }
[style*="stroke:#E4E4E4"] { stroke: #3b444e !important }
}
</style>
`

// SVG draws p. A screen reader reads the title and the description.
func SVG(p *plot.Plot, width, height vg.Length, title, description string) ([]byte, error) {
	canvas := vgsvg.NewWith(vgsvg.UseWH(width, height))
	p.Draw(draw.Crop(draw.New(canvas), vg.Points(2), vg.Points(-16), vg.Points(2), vg.Points(-4)))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	head, rest, found := bytes.Cut(b.Bytes(), []byte("<svg"))
	attributes, body, closed := bytes.Cut(rest, []byte(">"))
	if !found || !closed {
		return nil, fmt.Errorf("chart: not an SVG: %.40q", b.Bytes())
	}
	added := fmt.Sprintf(" role=\"img\">\n<title>%s</title>\n<desc>%s</desc>\n%s", html.EscapeString(title), html.EscapeString(description), darkStyle)
	body = bytes.ReplaceAll(body, []byte("font-family:"+typeface), []byte("font-family:"+typeface+", Arial, Helvetica, sans-serif"))
	return slices.Concat(head, []byte("<svg"), attributes, []byte(added), body), nil
}
