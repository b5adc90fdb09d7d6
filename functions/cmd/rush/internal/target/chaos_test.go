package target

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFaultsAreOfTheSeed(t *testing.T) {
	t.Parallel()
	strikes := Strikes(7, Faults, 30*time.Second)
	require.Equal(t, strikes, Strikes(7, Faults, 30*time.Second))
	require.NotEqual(t, strikes, Strikes(8, Faults, 30*time.Second))
	require.Empty(t, Strikes(7, nil, time.Minute))
	for i, s := range strikes {
		require.Equal(t, Faults[i%len(Faults)], s.Fault, "in turn")
		require.True(t, i == 0 || strikes[i-1].At < s.At)
		require.Less(t, s.At, 25*time.Second, "the hall has time to recover")
	}
}
