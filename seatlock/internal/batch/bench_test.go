package batch

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// The cost of a call without that of its round trip.
func BenchmarkBatcher(b *testing.B) {
	for _, callers := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			batcher := New(Options[string, *item]{MaxWeight: 1, MaxSize: 256, MaxQueued: 10_000, MaxInFlight: 4, Slow: time.Second,
				Send: func(context.Context, string, []*item) {}})
			b.ReportAllocs()
			var all sync.WaitGroup
			for caller := range callers {
				all.Go(func() {
					i := &item{}
					for range (b.N + caller) / callers {
						_ = batcher.Do(b.Context(), key, time.Now().Add(time.Minute), i)
					}
				})
			}
			all.Wait()
		})
	}
}
