package faults_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9/logging"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"booking/seatlock/oracle"
)

var (
	budget = flag.Duration("budget", 0, "about how long all tests of the package take together; 0: each test stops as soon as it has proved something")
	seed   = flag.Uint64("seed", 0, "seed of the random choices; 0: a new one each time")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	fmt.Printf("seed %d\n", *seed)
	logging.Disable() // go-redis logs every connection that is cut
	goleak.VerifyTestMain(m)
}

// share is the part of the budget that each of the eleven tests with rounds takes. TestSoak
// takes the rest.
const share = 1.0 / 15

// rounds runs round at least atLeast times, and until the test's share of the budget is
// spent. n counts from 0.
func rounds(t *testing.T, atLeast int, round func(n int)) {
	t.Helper()
	roundsUntil(t, atLeast, func() bool { return true }, round)
}

// roundsUntil is rounds that also go on until proved, which a slow machine needs.
func roundsUntil(t *testing.T, atLeast int, proved func() bool, round func(n int)) {
	t.Helper()
	start := time.Now()
	for n := 0; n < atLeast || time.Since(start) < time.Duration(share*float64(*budget)) || !proved(); n++ {
		if round(n); t.Failed() {
			return
		}
	}
}

// random returns a source of random choices that depends on -seed and ids.
func random(ids ...int) *rand.Rand {
	second := uint64(1)
	for _, id := range ids {
		second = second*1_000_003 + uint64(id)
	}
	return rand.New(rand.NewPCG(*seed, second))
}

// artifacts returns the directory in which a failed test saves its history.
func artifacts(t *testing.T) string {
	t.Helper()
	if flag.Lookup("test.artifacts").Value.String() == "true" {
		return t.ArtifactDir()
	}
	dir, err := os.MkdirTemp("", "faults-") //nolint:usetesting // it outlives the test
	require.NoError(t, err)
	return dir
}

// saveHistory writes a history and its findings to artifacts, and logs where.
func saveHistory(t *testing.T, calls []oracle.Call, findings []oracle.Finding) {
	t.Helper()
	dir := artifacts(t)
	file, err := os.Create(filepath.Join(dir, "history.jsonl"))
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	encoder := json.NewEncoder(file)
	for _, c := range calls {
		require.NoError(t, encoder.Encode(c))
	}
	text := fmt.Sprintf("%s\n-seed %d\n\n", t.Name(), *seed)
	for _, f := range findings {
		text += f.String() + "\n\n"
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "findings.txt"), []byte(text), 0o600))
	t.Logf("-seed %d; the history and the findings are in %s", *seed, dir)
}
