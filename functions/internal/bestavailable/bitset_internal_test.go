package bestavailable

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestBitset_NextIsTheFirstFromThere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 300).Draw(t, "size")
		b := newBitset(size)
		in := make([]bool, size)
		for _, i := range rapid.SliceOf(rapid.IntRange(0, size-1)).Draw(t, "flips") {
			b.flip(i)
			in[i] = !in[i]
		}
		end := rapid.IntRange(0, size).Draw(t, "end")
		first := rapid.IntRange(0, size).Draw(t, "first")
		want := end
		if first < end {
			if i := slices.Index(in[first:end], true); i >= 0 {
				want = first + i
			}
		}
		require.Equal(t, want, b.next(first, end))
	})
}
