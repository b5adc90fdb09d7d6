package page

import (
	"math"
	"strings"

	"booking/functions/internal/plan"
)

// Lengths of the layout, in units of the drawing. A seat has a radius of 10 at most.
const (
	seatSpacing = 24.0
	rowSpacing  = 28.0
	blockGap    = 3 * seatSpacing // between blocks of rows; the rows' labels are there
	margin      = 2 * seatSpacing
	stagePart   = 1.0 / 16 // of the height of the seats, which the stage's height is, from minStage on
	minStage    = 2 * seatSpacing
	stageGap    = 2 * seatSpacing
	aspect      = 4.0 / 3 // width by height that a hall is to have
)

// block is consecutive rows of one zone, one behind the other.
type block struct {
	rows          []Row
	width, height float64 // of its seats, from center to center
}

// bands are blocks side by side, band behind band.
type bands struct {
	blocks        [][]block
	width, height float64
}

// arrange gives the seats of zones positions, because a plan in the short form has none: rows are
// centered in blocks, and blocks in bands, the first band next to the stage. A zone of many rows has
// several blocks. It returns the stage.
func arrange(zones []Zone) plan.Shape {
	area := 0.0
	for _, z := range zones {
		b := newBlock(z, 0, len(z.Rows))
		area += (b.width + blockGap) * (b.height + blockGap)
	}
	var best bands
	off := math.Inf(1) // how far the best is from the aspect
	for factor := 0.5; factor < 2; factor += 0.01 {
		found := pack(zones, factor*math.Sqrt(area*aspect))
		if this := math.Abs(math.Log((found.width + blockGap) / (found.height + found.stage()) / aspect)); this < off {
			best, off = found, this
		}
	}
	stageHeight := best.stage()
	top := stageHeight + stageGap
	for _, band := range best.blocks {
		left := -widthOf(band) / 2
		height := 0.0
		for _, b := range band {
			b.place(left, top)
			left += b.width + blockGap
			height = max(height, b.height)
		}
		top += height + blockGap
	}
	stage := max(best.width*0.6, 6*seatSpacing)
	return plan.Shape{Shape: "rectangle", X: -stage / 2, Width: stage, Height: stageHeight,
		Text: "Stage", TextX: stage / 2, TextY: stageHeight / 2, TextSize: math.Round(stageHeight / 3)}
}

// stage returns the height of the stage in front of the bands.
func (b bands) stage() float64 { return max(math.Round(b.height*stagePart), minStage) }

// pack returns bands of the zones, each no wider than a width if it has more than a block.
func pack(zones []Zone, width float64) (packed bands) {
	for blocks := split(zones, width/aspect); len(blocks) > 0; {
		n := 1
		for n < len(blocks) && widthOf(blocks[:n+1]) <= width {
			n++
		}
		height := 0.0
		for _, b := range blocks[:n] {
			height = max(height, b.height)
		}
		packed.blocks = append(packed.blocks, blocks[:n])
		packed.width, packed.height = max(packed.width, widthOf(blocks[:n])), packed.height+height+blockGap
		blocks = blocks[n:]
	}
	return packed
}

// widthOf returns the width of blocks side by side.
func widthOf(blocks []block) float64 {
	width := -blockGap
	for _, b := range blocks {
		width += blockGap + b.width
	}
	return width
}

// split returns the blocks of zones, each no higher than a height if it has more than a row.
func split(zones []Zone, height float64) (blocks []block) {
	for _, z := range zones {
		rows := len(z.Rows)
		count := max(1, int(math.Round(float64(rows)*rowSpacing/max(height, rowSpacing))))
		for n := range count {
			if from, to := n*rows/count, (n+1)*rows/count; from < to {
				blocks = append(blocks, newBlock(z, from, to))
			}
		}
	}
	return blocks
}

// newBlock returns the block of the rows of z from from on, before to.
func newBlock(z Zone, from, to int) block {
	b := block{rows: z.Rows[from:to], height: float64(to-from-1) * rowSpacing}
	for _, row := range b.rows {
		b.width = max(b.width, float64(len(row.IDs)-1)*seatSpacing)
	}
	return b
}

// place gives the seats of a block their positions.
func (b block) place(left, top float64) {
	for i := range b.rows {
		row := &b.rows[i]
		first := left + (b.width-float64(len(row.IDs)-1)*seatSpacing)/2
		for n := range row.IDs {
			row.X = append(row.X, first+float64(n)*seatSpacing)
			row.Y = append(row.Y, top+float64(i)*rowSpacing)
		}
	}
}

// zoneOf splits the label of a row of the short form, like STALLS-A, into zone and row. One without
// a separator has no zone.
func zoneOf(label string) (zone, row string) {
	if i := strings.LastIndexAny(label, "-._:"); i > 0 && i < len(label)-1 {
		return label[:i], label[i+1:]
	}
	return "", label
}
