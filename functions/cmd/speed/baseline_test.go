package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompare_FailsOnALoss(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "baseline.json")
	result := func(cpu string, win float64) *Result {
		return &Result{Machine: Machine{CPU: cpu}, Costs: []Cost{{Workload: "win", Ratio: win}}}
	}
	var text strings.Builder
	require.ErrorContains(t, result("A", 1).compare(path, &text), "no such file")
	require.NoError(t, result("A", 1.2).store(path))
	require.NoError(t, result("B", 2).store(path))
	require.NoError(t, result("A", 1.37).compare(path, &text))
	require.NoError(t, result("B", 1).compare(path, &text))
	require.ErrorIs(t, result("A", 1.39).compare(path, &text), errSlower)
	require.Equal(t, "win: 1.37 × no-op, baseline 1.20: +14 %, ok\nwin: 1.00 × no-op, baseline 2.00: -50 %, ok\nwin: 1.39 × no-op, baseline 1.20: +16 %, SLOWER\n", text.String())
	require.ErrorContains(t, result("C", 1).compare(path, &text), "has no ratio of win on C; add it with -store")
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	require.Error(t, result("A", 1).store(path))
	require.Error(t, result("A", 1).compare(path, &text))
}
