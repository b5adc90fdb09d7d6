package batch

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	slow    = 100 * time.Millisecond
	timeout = 2 * time.Second
	key     = "gala"
)

// sent is a batch that the Send of a testBundle got.
type sent struct {
	key      string
	items    []string
	deadline time.Time
	finish   chan struct{} // closed by the test: Send returns
}

// testBundle is a Batcher whose batches stay in flight until the test finishes them, in a
// bubble whose clock moves only if the test sleeps.
type testBundle struct {
	*Batcher[string, string]
	batches []*sent // in the order in which they began
}

// newBundle returns a bundle with opt, in which 0 means a value that no test reaches.
func newBundle(opt Options[string, string]) *testBundle {
	b := &testBundle{}
	for _, limit := range []*int{&opt.MaxWeight, &opt.MaxSize, &opt.MaxQueued, &opt.MaxInFlight} {
		if *limit == 0 {
			*limit = 1_000_000
		}
	}
	opt.Slow = slow
	opt.Send = func(ctx context.Context, key string, items []string) {
		deadline, _ := ctx.Deadline()
		batch := &sent{key: key, items: slices.Clone(items), deadline: deadline, finish: make(chan struct{})}
		b.batches = append(b.batches, batch)
		<-batch.finish
	}
	b.Batcher = New(opt)
	return b
}

// inBubble runs test with a bundle. When the test has finished its batches, no item waits
// and no key is remembered.
func inBubble(t *testing.T, opt Options[string, string], test func(t *testing.T, b *testBundle)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBundle(opt)
		test(t, b)
		b.finishAll()
		require.Zero(t, b.Len())
		require.Empty(t, b.queues)
	})
}

// do calls Do from a goroutine of its own and waits until it blocks or has returned.
func (b *testBundle) do(ctx context.Context, key, item string, timeLeft time.Duration) <-chan error {
	result := make(chan error, 1)
	go func() { result <- b.Do(ctx, key, time.Now().Add(timeLeft), item) }()
	synctest.Wait()
	return result
}

// doMany calls do for items 0 to n-1.
func (b *testBundle) doMany(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		b.do(t.Context(), key, fmt.Sprint(i), timeout)
	}
}

// finish lets the batch with this number return and waits until the next one has begun.
func (b *testBundle) finish(number int) {
	close(b.batches[number].finish)
	synctest.Wait()
}

// finishAll finishes all batches, also those that begin meanwhile.
func (b *testBundle) finishAll() {
	for i := 0; i < len(b.batches); i++ { //nolint:intrange // finishing a batch can begin another
		select {
		case <-b.batches[i].finish:
		default:
			b.finish(i)
		}
	}
}

// sizes returns how many items each batch had.
func (b *testBundle) sizes() []int {
	var sizes []int
	for _, batch := range b.batches {
		sizes = append(sizes, len(batch.items))
	}
	return sizes
}

func TestBatcher_SendsLoneItemAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, Options[string, string]{}, func(t *testing.T, b *testBundle) {
		start := time.Now()
		result := b.do(t.Context(), key, "1A", timeout)
		require.Len(t, b.batches, 1)
		require.Equal(t, key, b.batches[0].key)
		require.Equal(t, []string{"1A"}, b.batches[0].items)
		require.Zero(t, b.Len(), "an item in flight does not wait")
		b.finish(0)
		require.NoError(t, <-result)
		require.Equal(t, start, time.Now())
	})
}

// A hand-over to another goroutine would cost the lone call a tenth of its time.
func TestBatcher_SendsLoneItemFromItsGoroutine(t *testing.T) {
	var stack []byte
	b := New(Options[string, string]{MaxWeight: 1, MaxSize: 1, MaxQueued: 1, MaxInFlight: 1,
		Send: func(context.Context, string, []string) { stack = debug.Stack() }})
	require.NoError(t, b.Do(t.Context(), key, time.Now().Add(timeout), "item"))
	require.Contains(t, string(stack), "TestBatcher_SendsLoneItemFromItsGoroutine(")
}

// An HTTP server recovers the panic of its handler. The other callers of the batch would wait forever.
func TestBatcher_EndsTheProcessIfSendPanics(t *testing.T) {
	const variable = "BATCH_TEST_PANICS"
	if os.Getenv(variable) != "" {
		defer func() { _ = recover() }()
		b := New(Options[string, string]{MaxWeight: 1, MaxSize: 1, MaxQueued: 1, MaxInFlight: 1,
			Send: func(context.Context, string, []string) { panic("a bug in Send") }})
		_ = b.Do(t.Context(), key, time.Now().Add(timeout), "item")
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), variable+"=1")
	output, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(output), "panic: a bug in Send")
}

func TestBatcher_SendsWaitingItemsTogether(t *testing.T) {
	t.Parallel()
	inBubble(t, Options[string, string]{}, func(t *testing.T, b *testBundle) {
		b.do(t.Context(), key, "1A", timeout)
		first := b.do(t.Context(), key, "1B", timeout)
		second := b.do(t.Context(), key, "1C", timeout)
		require.Len(t, b.batches, 1)
		require.Equal(t, 2, b.Len())
		b.finish(0)
		require.Len(t, b.batches, 2)
		require.Equal(t, []string{"1B", "1C"}, b.batches[1].items)
		b.finish(1)
		require.NoError(t, <-first)
		require.NoError(t, <-second)
	})
}

func TestBatcher_KeepsKeysApart(t *testing.T) {
	t.Parallel()
	inBubble(t, Options[string, string]{}, func(t *testing.T, b *testBundle) {
		b.do(t.Context(), key, "1A", timeout)
		b.do(t.Context(), "matinee", "1A", timeout)
		require.Len(t, b.batches, 2)
		require.Equal(t, "matinee", b.batches[1].key)
	})
}

func TestBatcher_TakesHalfOfManyItems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		waiting int
		sizes   []int // after the first batch of one
	}{
		{32, []int{32}}, // at least 32, if there are as many
		{40, []int{32, 8}},
		{99, []int{50, 49}}, // half of 99 + 1, then half of 49 + 50
		{1000, []int{256, 256, 256, 232}},
	} {
		t.Run(fmt.Sprint(c.waiting), func(t *testing.T) {
			t.Parallel()
			inBubble(t, Options[string, string]{MaxSize: 256}, func(t *testing.T, b *testBundle) {
				b.do(t.Context(), key, "first", timeout)
				b.doMany(t, c.waiting)
				require.Equal(t, c.waiting, b.Len())
				b.finishAll()
				require.Equal(t, append([]int{1}, c.sizes...), b.sizes())
			})
		})
	}
}

func TestBatcher_BoundsWeight(t *testing.T) {
	t.Parallel()
	weigh := func(item string) int { return len(item) }
	inBubble(t, Options[string, string]{Weigh: weigh, MaxWeight: 10}, func(t *testing.T, b *testBundle) {
		b.do(t.Context(), key, "first", timeout)
		for _, item := range []string{"four", "four", "two", "too heavy by far", "one", "ten letter"} {
			b.do(t.Context(), key, item, timeout)
		}
		b.finishAll()
		var batches [][]string
		for _, batch := range b.batches[1:] {
			batches = append(batches, batch.items)
		}
		require.Equal(t, [][]string{{"four", "four"}, {"two"}, {"too heavy by far"}, {"one"}, {"ten letter"}}, batches)
	})
}

func TestBatcher_RefusesAtOnceIfQueueIsFull(t *testing.T) {
	t.Parallel()
	inBubble(t, Options[string, string]{MaxQueued: 2}, func(t *testing.T, b *testBundle) {
		b.do(t.Context(), key, "1A", timeout)
		b.do(t.Context(), "matinee", "1A", timeout)
		waiting := b.do(t.Context(), key, "1B", timeout)
		b.do(t.Context(), "matinee", "1B", timeout)
		require.Equal(t, 2, b.Len())
		require.ErrorIs(t, <-b.do(t.Context(), key, "1C", timeout), ErrQueueFull)
		require.ErrorIs(t, <-b.do(t.Context(), "another", "1A", timeout), ErrQueueFull, "all keys share the limit")
		b.finish(0)
		require.Equal(t, 1, b.Len())
		b.do(t.Context(), key, "1C", timeout)
		require.Equal(t, 2, b.Len())
		b.finishAll()
		require.NoError(t, <-waiting)
	})
}

func TestBatcher_StartsAnotherBatchIfOneIsSlow(t *testing.T) {
	t.Parallel()
	inBubble(t, Options[string, string]{MaxInFlight: 3}, func(t *testing.T, b *testBundle) {
		b.do(t.Context(), key, "1A", timeout)
		time.Sleep(slow)
		b.do(t.Context(), key, "1B", timeout)
		require.Len(t, b.batches, 1, "not slow yet")
		time.Sleep(time.Nanosecond)
		b.do(t.Context(), key, "1C", timeout)
		require.Len(t, b.batches, 2)
		require.Equal(t, []string{"1B", "1C"}, b.batches[1].items)

		b.do(t.Context(), key, "1D", timeout)
		require.Len(t, b.batches, 2, "the second is not slow yet")
		time.Sleep(2 * slow)
		b.do(t.Context(), key, "1E", timeout)
		require.Len(t, b.batches, 3)
		time.Sleep(2 * slow)
		b.do(t.Context(), key, "1F", timeout)
		require.Len(t, b.batches, 3, "as many as may be in flight")
		b.finish(1)
		require.Equal(t, []string{"1F"}, b.batches[3].items, "a batch that ends makes room")
	})
}

func TestBatcher_SendsEarliestDeadlinesFirst(t *testing.T) {
	t.Parallel()
	inBubble(t, Options[string, string]{MaxSize: 2}, func(t *testing.T, b *testBundle) {
		start := time.Now()
		b.do(t.Context(), key, "first", timeout)
		b.do(t.Context(), key, "in 5 s", 5*time.Second)
		b.do(t.Context(), key, "in 3 s", 3*time.Second)
		b.do(t.Context(), key, "in 4 s", 4*time.Second)
		b.do(t.Context(), key, "also in 3 s", 3*time.Second)
		b.finishAll()
		require.Equal(t, []string{"in 3 s", "also in 3 s"}, b.batches[1].items, "equal deadlines keep their order")
		require.Equal(t, []string{"in 4 s", "in 5 s"}, b.batches[2].items)
		require.Equal(t, start.Add(4*time.Second), b.batches[2].deadline, "a batch ends by its earliest deadline")
	})
}

func TestDo_SendsParallelBatches(t *testing.T) {
	t.Parallel()
	inBubble(t, Options[string, string]{Parallel: 2}, func(t *testing.T, b *testBundle) {
		for _, item := range []string{"a", "b", "c", "d"} {
			b.do(t.Context(), key, item, timeout)
		}
		require.Len(t, b.batches, 2)
		require.Equal(t, []string{"a"}, b.batches[0].items)
		require.Equal(t, []string{"b"}, b.batches[1].items)
		require.Equal(t, 2, b.Len())
		close(b.batches[1].finish)
		synctest.Wait()
		require.Len(t, b.batches, 3)
		require.Equal(t, []string{"c", "d"}, b.batches[2].items, "one of the two goes on")
		b.do(t.Context(), key, "e", timeout)
		require.Len(t, b.batches, 3)
	})
}
