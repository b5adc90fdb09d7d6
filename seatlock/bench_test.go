package seatlock_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// operation is a call that a benchmark repeats, each time with a group of seats.
type operation struct {
	name   string
	size   int    // seats in a group
	groups int    // 0: a new group for each call
	heldBy string // the user who holds all groups before; "": they are free
	call   func(ctx context.Context, l *seatlock.Locker, group []string) error
}

var (
	winning = operation{name: "Reserve", size: 1, call: reserveForAnn}
	losing  = operation{name: "ReserveLosing", size: 1, groups: 1000, heldBy: bob,
		call: func(ctx context.Context, l *seatlock.Locker, group []string) error {
			if err := reserveForAnn(ctx, l, group); !errors.Is(err, seatlock.ErrTaken) {
				return fmt.Errorf("%v is not taken: %w", group, err)
			}
			return nil
		}}
)

func reserveForAnn(ctx context.Context, l *seatlock.Locker, group []string) error {
	_, err := l.Reserve(ctx, event, group, ann)
	return err
}

func BenchmarkLocker(b *testing.B) {
	bundle := benchSetup(b)
	for _, op := range []operation{
		winning,
		{name: "ReserveGroupOf4", size: 4, call: reserveForAnn},
		losing,
		{name: "Buy", size: 1, heldBy: ann, call: func(ctx context.Context, l *seatlock.Locker, group []string) error {
			return l.Buy(ctx, event, group, ann)
		}},
		{name: "Status", size: 1, groups: 1000, heldBy: bob, call: func(ctx context.Context, l *seatlock.Locker, group []string) error {
			_, err := l.Status(ctx, event, group[0])
			return err
		}},
	} {
		for _, callers := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/callers=%d", op.name, callers), func(b *testing.B) { bundle.run(b, op, callers) })
		}
	}
}

// benchBundle is a Locker over a real redis-server.
type benchBundle struct {
	*testBundle
	server *redistest.Redis
}

func benchSetup(b *testing.B) *benchBundle {
	b.Helper()
	server := redistest.Server(b)
	locker, err := seatlock.New(server.Client(b), seatlock.Options{Timeout: time.Minute})
	require.NoError(b, err)
	return &benchBundle{&testBundle{locker, server.Admin(b)}, server}
}

// run measures op by concurrent callers, b.N times in all.
func (bundle *benchBundle) run(b *testing.B, op operation, callers int) {
	groups := bundle.prepare(b, op, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	err := share(callers, b.N, func(i int) error { return op.call(b.Context(), bundle.locker, groups[i%len(groups)]) })
	b.StopTimer()
	require.NoError(b, err)
}

// prepare empties Redis and returns the groups for calls of op, held if op says so.
func (bundle *benchBundle) prepare(b *testing.B, op operation, calls int) [][]string {
	b.Helper()
	require.NoError(b, bundle.redis.FlushAll(b.Context()).Err())
	if op.groups > 0 {
		calls = op.groups
	}
	groups := make([][]string, calls)
	for i := range groups {
		for seat := range op.size {
			groups[i] = append(groups[i], fmt.Sprintf("%012d", i*op.size+seat))
		}
	}
	if op.heldBy != "" {
		require.NoError(b, share(100, calls, func(i int) error {
			_, err := bundle.locker.Reserve(b.Context(), event, groups[i], op.heldBy)
			return err
		}))
	}
	return groups
}

// share spreads calls, numbered from 0, over concurrent callers. It returns the first error.
func share(callers, calls int, call func(i int) error) error {
	var next atomic.Int64
	var all sync.WaitGroup
	var once sync.Once
	var first error
	for range min(callers, calls) {
		all.Go(func() {
			for i := next.Add(1); i <= int64(calls); i = next.Add(1) {
				if err := call(int(i - 1)); err != nil {
					once.Do(func() { first = err })
					return
				}
			}
		})
	}
	all.Wait()
	return first
}
