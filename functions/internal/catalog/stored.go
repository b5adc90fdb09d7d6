package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"

	"booking/functions/internal/plan"
)

// Area is an area of general admission in a body.
type Area struct {
	AreaID   string `json:"area_id"`
	Capacity int    `json:"capacity"`
	Category string `json:"category,omitempty"`
}

// Store returns what Redis keeps of a plan, which is JSON, and its areas: the areas as a line
// of JSON, and the compressed plan. It is empty if there is neither.
func Store(raw []byte, areas []Area) ([]byte, error) {
	if len(raw) == 0 && len(areas) == 0 {
		return nil, nil
	}
	line, err := json.Marshal(areas)
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(append(line, '\n'))
	if len(raw) == 0 {
		return b.Bytes(), nil
	}
	w := gzip.NewWriter(b)
	_, _ = w.Write(raw) // a Buffer never fails
	_ = w.Close()
	return b.Bytes(), nil
}

// Compressed returns the compressed plan in what Store returned; empty if it has none.
func Compressed(stored []byte) []byte {
	_, compressed, _ := bytes.Cut(stored, []byte("\n"))
	return compressed
}

// Read parses the plan in what Store returned.
func Read(stored []byte) (*plan.Plan, error) {
	raw, areas, err := unpack(stored)
	if err != nil {
		return nil, err
	}
	return Parse(raw, areas)
}

// unpack returns what Store got.
func unpack(stored []byte) (raw []byte, areas []Area, err error) {
	if len(stored) == 0 {
		return nil, nil, nil
	}
	line, compressed, _ := bytes.Cut(stored, []byte("\n"))
	if err := json.Unmarshal(line, &areas); err != nil {
		return nil, nil, fmt.Errorf("areas in Redis: %w", err)
	}
	if len(compressed) > 0 {
		r, err := gzip.NewReader(bytes.NewReader(compressed))
		if err == nil {
			raw, err = io.ReadAll(io.LimitReader(r, plan.MaxBytes))
		}
		if err != nil {
			return nil, nil, fmt.Errorf("plan in Redis: %w", err)
		}
	}
	return raw, areas, nil
}

// Parse parses a plan, which is JSON, with its areas. The plan is nil, which has every seat, if
// there is neither. The error is a *plan.Error.
func Parse(raw []byte, areas []Area) (*plan.Plan, error) {
	p, err := plan.Parse(raw)
	if err != nil {
		return nil, err
	}
	all := make([]plan.Area, len(areas))
	for i, area := range areas {
		all[i] = plan.Area{ID: area.AreaID, Capacity: area.Capacity, Category: area.Category}
	}
	return p.WithAreas(all)
}
