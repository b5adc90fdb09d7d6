package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxLoss is by how much a ratio may be above its baseline.
const maxLoss = 0.15

// baseline has the ratios to the no-op, by CPU and workload: Redis's share differs from CPU to CPU.
type baseline map[string]map[string]float64

// errSlower means that a workload has become slower.
var errSlower = errors.New("slower than the baseline")

func readBaseline(path string) (baseline, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b := baseline{}
	return b, json.Unmarshal(text, &b)
}

// compare writes each ratio beside its baseline. It fails with errSlower if one is more than maxLoss above
// it, and with a usageError if the file has none for this CPU.
func (r *Result) compare(path string, w io.Writer) error {
	b, err := readBaseline(path)
	if err != nil {
		return usageErrorf("-baseline: %v", err)
	}
	slower := false
	for _, c := range r.Costs {
		want, there := b[r.Machine.CPU][c.Workload]
		if !there {
			return usageErrorf("%s has no ratio of %s on %s; add it with -store %s, measured before your change", path, c.Workload, r.Machine.CPU, path)
		}
		verdict := "ok"
		if c.Ratio > want*(1+maxLoss) {
			verdict, slower = "SLOWER", true
		}
		fmt.Fprintf(w, "%s: %.2f × no-op, baseline %.2f: %+.0f %%, %s\n", c.Workload, c.Ratio, want, 100*(c.Ratio/want-1), verdict)
	}
	if slower {
		return errSlower
	}
	return nil
}

// store writes the ratios into the file, which may have those of other CPUs.
func (r *Result) store(path string) error {
	b, err := readBaseline(path)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = baseline{}, nil
	}
	if err != nil {
		return err
	}
	if b[r.Machine.CPU] == nil {
		b[r.Machine.CPU] = map[string]float64{}
	}
	for _, c := range r.Costs {
		b[r.Machine.CPU][c.Workload] = c.Ratio
	}
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
