package readiness

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
)

// The log has a fault once, as long as the operator corrects it in the same way.
func TestSameFault_ComparesWhatOperatorDoes(t *testing.T) {
	t.Parallel()
	down, timeout := fmt.Errorf("%w: %w", seatlock.ErrUnavailable, io.EOF), fmt.Errorf("%w: %w", seatlock.ErrUnavailable, context.DeadlineExceeded)
	refused := fmt.Errorf("%w: %w", seatlock.ErrUnavailable, redis.Nil) // an error that Redis replies with
	evicts, replica := fmt.Errorf("%w: maxmemory-policy", seatlock.ErrUnsafe), fmt.Errorf("%w: role", seatlock.ErrUnsafe)
	for _, c := range []struct {
		err, previous error
		want          bool
	}{
		{down, down, true},
		{down, timeout, true},
		{down, nil, false},
		{down, errNotChecked, false},
		{down, refused, false},
		{refused, down, false},
		{refused, refused, true},
		{evicts, down, false},
		{evicts, evicts, true},
		{evicts, replica, false},
		{down, evicts, false},
	} {
		require.Equal(t, c.want, sameFault(c.err, c.previous), "%v after %v", c.err, c.previous)
	}
	require.Contains(t, advice(down), "Redis does not answer")
	require.Contains(t, advice(refused), "Redis refuses")
	require.Contains(t, advice(evicts), "Redis answers but can lose seats")
}
