package main

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/rush/internal/client"
)

func testSnapshot() snapshot {
	return snapshot{at: 12 * time.Second, free: 1, held: 2, sold: 3, active: 40, window: 2 * time.Second,
		Window: client.Window{Calls: 100, Refusals: 20, Errors: 1, P50: time.Millisecond, P99: 25 * time.Millisecond}}
}

func TestShowLines_WritesALineAnInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		var out bytes.Buffer
		showLines(ctx, &out, time.Second, testSnapshot)
		const line = "  12 s  seats:    1 free    2 held    3 sold     50 calls/s  p50   1.0 ms  p99  25.0 ms    10 refusals/s  1 errors\n"
		require.Equal(t, line+line, out.String())
	})
}

func TestShowBar_LeavesTheTerminalUsable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var out bytes.Buffer
		showBar(ctx, &out, 6, testSnapshot)
		require.Contains(t, out.String(), "40 active buyers")
		require.Contains(t, out.String(), "50%")
		require.NotContains(t, out.String(), "\x1b[?", "it changes no mode of the terminal")
		require.True(t, bytes.HasSuffix(out.Bytes(), []byte("\n")), "the cursor is below the bar")
	})
}
