package plan

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestIndex_IsASetInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := newIndex()
		var order []string
		positions := map[string]int{}
		for _, id := range rapid.SliceOfN(rapid.StringMatching(`[ab1-]{0,4}`), 0, 200).Draw(t, "ids") {
			_, had := positions[id]
			require.Equal(t, !had, x.add(id))
			if !had {
				positions[id] = len(order)
				order = append(order, id)
			}
		}
		require.Equal(t, len(order), x.len())
		for want, id := range order {
			position, found := x.find(id)
			require.True(t, found)
			require.Equal(t, want, position)
			require.Equal(t, id, x.id(want))
		}
		id := rapid.StringMatching(`[ab1-]{0,4}`).Draw(t, "id")
		_, found := x.find(id)
		_, want := positions[id]
		require.Equal(t, want, found)
	})
}
