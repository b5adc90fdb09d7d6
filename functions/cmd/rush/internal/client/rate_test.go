package client

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Calls are due at random times, in no order. In no second are there more than the rate.
func TestAcquire_KeepsTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const perSecond, calls = 300, 3000
		c := New("", "", calls, perSecond)
		var mu sync.Mutex
		starts := map[time.Duration]int{} // by second
		var all sync.WaitGroup
		for i := range calls {
			due := time.Duration(rand.New(rand.NewPCG(1, uint64(i))).Int64N(int64(3 * time.Second)))
			all.Go(func() {
				at, ok := c.acquire(t.Context(), due)
				if !ok || at < due || at > c.Now() {
					t.Errorf("due %v, acquired at %v, now %v", due, at, c.Now())
				}
				mu.Lock()
				defer mu.Unlock()
				starts[c.Now().Truncate(time.Second)]++
			})
		}
		all.Wait()
		for second, n := range starts {
			require.LessOrEqual(t, n, perSecond+1, second)
		}
		require.GreaterOrEqual(t, c.Now(), (calls-1)*time.Second/perSecond-time.Millisecond)
	})
}
