package live

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func figures() Figures {
	return Figures{At: 12 * time.Second, Free: 1, Held: 2, Sold: 3, Inside: 40, Requests: 100, Conflicts: 20, Errors: 1,
		Window: 2 * time.Second, P50: time.Millisecond, P99: 25 * time.Millisecond}
}

func TestLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		var out bytes.Buffer
		Lines(ctx, &out, time.Second, figures)
		const line = "  12 s  seats:    1 free    2 held    3 sold     50 requests/s  p50   1.0 ms  p99  25.0 ms    10 conflicts/s  1 errors\n"
		require.Equal(t, line+line, out.String())
	})
}

// The bar leaves the terminal as it found it: the last picture, and the cursor below.
func TestBar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var out bytes.Buffer
		Bar(ctx, &out, 6, figures)
		require.Contains(t, out.String(), "40 people inside")
		require.Contains(t, out.String(), "50%")
		require.NotContains(t, out.String(), "\x1b[?", "no mode of the terminal is changed")
		require.True(t, bytes.HasSuffix(out.Bytes(), []byte("\n")))
	})
}
