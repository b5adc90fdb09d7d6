package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScheduleFaults_DependsOnSeedAlone(t *testing.T) {
	t.Parallel()
	faults := scheduleFaults(7, faultNames, 30*time.Second)
	require.Equal(t, faults, scheduleFaults(7, faultNames, 30*time.Second))
	require.NotEqual(t, faults, scheduleFaults(8, faultNames, 30*time.Second))
	require.Empty(t, scheduleFaults(7, nil, time.Minute))
	for i, f := range faults {
		require.Equal(t, faultNames[i%len(faultNames)], f.name, "in turn")
		require.True(t, i == 0 || faults[i-1].at < f.at)
		require.Less(t, f.at, 25*time.Second, "the service has time to recover")
	}
}
