package seatlock

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Redis answers within 10 ms, then for a while not at all, then again.
func TestEveryCallHasItsAnswerByItsDeadline(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second
	synctest.Test(t, func(t *testing.T) {
		stalls, goesOn := time.Now().Add(time.Second), time.Now().Add(6*time.Second)
		r := rounds{late: timeout / 20, queues: map[queueKey]*queue{}, send: func(ctx context.Context, _ queueKey, calls []*call) {
			wait := 10 * time.Millisecond
			if time.Now().After(stalls) && time.Now().Before(goesOn) {
				wait = time.Until(goesOn)
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				for _, c := range calls {
					c.err = ctx.Err()
				}
			}
		}}
		var callers sync.WaitGroup
		answered, failed := 0, 0
		var mu sync.Mutex
		for range 8000 { // a thousand a second; a fifth of them sent again, having less time left
			time.Sleep(time.Millisecond)
			deadline := time.Now().Add(timeout)
			if rand.IntN(5) == 0 {
				deadline = deadline.Add(-rand.N(timeout))
			}
			callers.Go(func() {
				err := r.ask(queueKey{event: "gala"}, &call{ctx: t.Context(), deadline: deadline})
				require.False(t, time.Now().After(deadline), "answered %v late", time.Since(deadline))
				mu.Lock()
				defer mu.Unlock()
				answered++
				if err != nil {
					failed++
				}
			})
		}
		callers.Wait()
		require.Equal(t, 8000, answered)
		require.Greater(t, failed, 3000, "of 5000 while Redis did not answer")
		require.Less(t, failed, 5500)
		require.Zero(t, r.len())
	})
}
