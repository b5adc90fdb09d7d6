package batch

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBatcher_DoesNotSendItemWhoseContextEnded(t *testing.T) {
	t.Parallel()
	inBubble(t, Options[string, string]{}, func(t *testing.T, b *testBundle) {
		b.do(t.Context(), key, "1A", timeout)
		ctx, cancel := context.WithCancel(t.Context())
		canceled := b.do(ctx, key, "1B", timeout)
		other := b.do(t.Context(), key, "1C", timeout)
		cancel()
		b.finish(0)
		err := <-canceled
		require.ErrorIs(t, err, ErrTooLate)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, []string{"1C"}, b.batches[1].items)
		b.finish(1)
		require.NoError(t, <-other)
	})
}

func TestBatcher_FinishesItemInFlightWhoseContextEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, Options[string, string]{}, func(t *testing.T, b *testBundle) {
		ctx, cancel := context.WithCancel(t.Context())
		result := b.do(ctx, key, "1A", timeout)
		cancel()
		synctest.Wait()
		require.Empty(t, result)
		b.finish(0)
		require.NoError(t, <-result)
	})
}

// A batch ends by its earliest deadline, so an item with next to no time left would take
// the others' time.
func TestBatcher_DoesNotSendItemWhoseDeadlineIsTooNear(t *testing.T) {
	t.Parallel()
	inBubble(t, Options[string, string]{}, func(t *testing.T, b *testBundle) {
		first := b.do(t.Context(), key, "first", time.Second)
		tooNear := b.do(t.Context(), key, "too near", time.Second+slow-1)
		near := b.do(t.Context(), key, "near", time.Second+slow)
		far := b.do(t.Context(), key, "far", 2*time.Second)
		time.Sleep(time.Second) // the first item has used all its time
		b.finish(0)
		require.NoError(t, <-first)
		require.ErrorIs(t, <-tooNear, ErrTooLate)
		require.Equal(t, []string{"near", "far"}, b.batches[1].items)
		b.finish(1)
		require.NoError(t, <-near)
		require.NoError(t, <-far)
	})
}

func TestBatcher_RefusesAtDeadlineWhatStillWaits(t *testing.T) {
	t.Parallel()
	inBubble(t, Options[string, string]{}, func(t *testing.T, b *testBundle) {
		start := time.Now()
		b.do(t.Context(), key, "first", timeout)
		retried := b.do(t.Context(), key, "retried", timeout/2) // ends before the batch in flight
		other := b.do(t.Context(), key, "other", timeout)
		require.Equal(t, 2, b.Len())
		require.ErrorIs(t, <-retried, ErrTooLate)
		require.Equal(t, timeout/2, time.Since(start))
		require.Equal(t, 1, b.Len())
		b.finish(0)
		require.Equal(t, []string{"other"}, b.batches[1].items)
		b.finish(1)
		require.NoError(t, <-other)
	})
}

// Send takes 10 ms. Then it takes until its context ends, for a while. Then it takes 10 ms
// again.
func TestBatcher_ReturnsByEveryDeadline(t *testing.T) {
	t.Parallel()
	const calls = 8000
	synctest.Test(t, func(t *testing.T) {
		stalls, goesOn := time.Now().Add(time.Second), time.Now().Add(6*time.Second)
		b := New(Options[string, *item]{MaxWeight: 1, MaxSize: 256, MaxQueued: 10_000, MaxInFlight: 4, Slow: timeout / 20,
			Send: func(ctx context.Context, _ string, items []*item) {
				wait := 10 * time.Millisecond
				if time.Now().After(stalls) && time.Now().Before(goesOn) {
					wait = time.Until(goesOn)
				}
				for _, i := range items {
					i.sent++
				}
				select {
				case <-time.After(wait):
				case <-ctx.Done():
					for _, i := range items {
						i.err = ctx.Err()
					}
				}
			}})
		var callers sync.WaitGroup
		var answered, failed atomic.Int64
		for range calls { // a thousand a second; a fifth of them are retries, which have less time left
			time.Sleep(time.Millisecond)
			deadline := time.Now().Add(timeout)
			if rand.IntN(5) == 0 {
				deadline = deadline.Add(-rand.N(timeout))
			}
			callers.Go(func() {
				i := &item{}
				err := b.Do(t.Context(), key, deadline, i)
				require.False(t, time.Now().After(deadline), "answered %v late", time.Since(deadline))
				if err == nil {
					require.Equal(t, 1, i.sent)
					err = i.err
				} else {
					require.Zero(t, i.sent)
				}
				answered.Add(1)
				if err != nil {
					failed.Add(1)
				}
			})
		}
		callers.Wait()
		require.EqualValues(t, calls, answered.Load())
		require.Greater(t, failed.Load(), int64(3000), "of 5000 while Send stalled")
		require.Less(t, failed.Load(), int64(5500))
		require.Zero(t, b.Len())
	})
}

// item is what a call of Do sends, and its result.
type item struct {
	sent int
	err  error
}
