package catalog_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/plan"
	"booking/seatlock"
)

// locker has one event, gala.
type locker struct {
	mu      sync.Mutex
	version int64 // of the event and its plan; 0 if it does not exist
	plan    []byte
	loads   int
	err     error
	slow    chan struct{} // the next read of the event answers when it is closed; nil: at once
}

func (l *locker) put(t *testing.T, plan string, areas ...catalog.Area) {
	t.Helper()
	stored, err := catalog.Store([]byte(plan), areas)
	require.NoError(t, err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.version, l.plan = l.version+1, stored
}

func (l *locker) Event(context.Context, string) (seatlock.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loads++
	if slow, version := l.slow, l.version; slow != nil {
		l.slow = nil
		l.mu.Unlock()
		<-slow
		l.mu.Lock()
		return seatlock.Event{Version: version, PlanVersion: version}, nil
	}
	if l.err != nil {
		return seatlock.Event{}, l.err
	}
	if l.version == 0 {
		return seatlock.Event{}, seatlock.ErrUnknownEvent
	}
	return seatlock.Event{Version: l.version, PlanVersion: l.version}, nil
}

func (l *locker) Plan(context.Context, string) (int64, []byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.version, l.plan, nil
}

// check does what a script does with the terms.
func (l *locker) check(terms seatlock.Terms) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if *terms.PlanVersion != l.version {
		return seatlock.ErrStalePlan
	}
	return nil
}

func requireCode(t *testing.T, err error, code api.Code) {
	t.Helper()
	p, ok := errors.AsType[*api.Problem](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, code, p.Code)
}

func hallOf(t *testing.T, text string) *plan.Plan {
	t.Helper()
	p, err := plan.ParseShort(text)
	require.NoError(t, err)
	return p
}

func TestWith_FollowsPlanOfEvent(t *testing.T) {
	t.Parallel()
	l := &locker{}
	c := catalog.New(l, catalog.Options{Unlisted: hallOf(t, "1-2:A-B")})
	with := func(seats ...string) error { return c.With(t.Context(), "gala", seats, l.check) }
	require.NoError(t, with("1A", "2B"))
	require.Zero(t, l.loads, "an event without settings costs no read")
	requireCode(t, with("1A", "3A"), api.CodeUnknownSeat)

	l.put(t, `"1-3:A-B"`)
	require.NoError(t, with("3A"))
	requireCode(t, with("1C"), api.CodeUnknownSeat)
	l.put(t, `"1-1:A-C"`)
	requireCode(t, with("3A"), api.CodeUnknownSeat)
	l.put(t, "")
	require.NoError(t, with("anything"))
	loads := l.loads
	require.NoError(t, with("anything"))
	require.Equal(t, loads, l.loads)
	l.version = 0
	require.NoError(t, with("1A"))
	requireCode(t, with("3A"), api.CodeUnknownSeat)
}

// A call that begins after a PUT does not take what a load found before it.
func TestWith_JoinsNoLoadFromBeforeThePut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &locker{}
		c := catalog.New(l, catalog.Options{})
		l.put(t, `"1:A-B"`)
		require.NoError(t, c.With(t.Context(), "gala", []string{"1A"}, l.check))
		slow := make(chan struct{})
		l.slow = slow
		go func() { _, _ = c.Plan(t.Context(), "gala") }()
		synctest.Wait()
		l.put(t, `"1:A-C"`)
		time.Sleep(time.Millisecond) // on the clock of the bubble
		result := make(chan error, 1)
		go func() { result <- c.With(t.Context(), "gala", []string{"1C"}, l.check) }()
		synctest.Wait()
		close(slow)
		require.NoError(t, <-result)
	})
}

func TestWith_KnowsOnlyListedEvents(t *testing.T) {
	t.Parallel()
	l := &locker{}
	c := catalog.New(l, catalog.Options{Listed: true})
	with := func() error { return c.With(t.Context(), "gala", []string{"1A"}, l.check) }
	requireCode(t, with(), api.CodeUnknownEvent)
	requireCode(t, c.Check(t.Context(), "gala"), api.CodeUnknownEvent)
	l.put(t, `"1-1:A-A"`)
	require.NoError(t, with())
	require.NoError(t, c.Check(t.Context(), "gala"))
	l.version = 0
	requireCode(t, with(), api.CodeUnknownEvent)
}

func TestCheck_ReadsRedisFourTimesASecondAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &locker{}
		c := catalog.New(l, catalog.Options{Listed: true})
		l.put(t, `"1-1:A-A"`)
		for range 1000 {
			require.NoError(t, c.Check(t.Context(), "gala"))
			time.Sleep(time.Millisecond)
		}
		require.Equal(t, 4, l.loads)
		l.version = 0
		time.Sleep(250 * time.Millisecond)
		requireCode(t, c.Check(t.Context(), "gala"), api.CodeUnknownEvent)
	})
}

func TestWith_PassesErrorsOn(t *testing.T) {
	t.Parallel()
	l := &locker{err: seatlock.ErrUnavailable}
	c := catalog.New(l, catalog.Options{Listed: true})
	do := func(seatlock.Terms) error { return seatlock.ErrTaken }
	require.ErrorIs(t, c.With(t.Context(), "gala", nil, do), seatlock.ErrUnavailable)
	l.err = nil
	l.put(t, "")
	require.ErrorIs(t, c.With(t.Context(), "gala", nil, do), seatlock.ErrTaken)
	calls := 0
	require.ErrorIs(t, c.With(t.Context(), "gala", nil, func(seatlock.Terms) error { calls++; return seatlock.ErrStalePlan }), seatlock.ErrUnavailable)
	require.Equal(t, 20, calls, "a plan that changes all the time")
}

func TestCatalog_ForgetsEventsWithManySeats(t *testing.T) {
	t.Parallel()
	l := &locker{}
	c := catalog.New(l, catalog.Options{})
	l.put(t, "", catalog.Area{AreaID: "floor", Capacity: 100_000})
	for i := range 60 {
		event := "e" + strings.Repeat("x", i)
		require.NoError(t, c.With(t.Context(), event, []string{"floor.7"}, l.check))
	}
	require.LessOrEqual(t, c.Seats(), 500_000)
	require.Positive(t, c.Seats())
}

func TestStore_KeepsPlanAndAreas(t *testing.T) {
	t.Parallel()
	stored, err := catalog.Store([]byte(`"1-1:A-B"`), []catalog.Area{{AreaID: "floor", Capacity: 2, Category: "standing"}})
	require.NoError(t, err)
	p, err := catalog.Read(stored)
	require.NoError(t, err)
	var ids []string
	for seat := range p.Seats() {
		ids = append(ids, seat.ID+seat.Category)
	}
	require.Equal(t, []string{"1A", "1B", "floor.1standing", "floor.2standing"}, ids)
	require.NotEmpty(t, catalog.Compressed(stored))
	for _, damaged := range []string{"no line", "[]\nnot gzip", "{}\n"} {
		_, err := catalog.Read([]byte(damaged))
		require.Error(t, err, damaged)
	}
}

// Redis has a plan that can't be read, as after a fault of a disk: an error, and no empty drawing.
func TestDrawing_FailsIfThePlanCantBeRead(t *testing.T) {
	t.Parallel()
	l := &locker{}
	c := catalog.New(l, catalog.Options{})
	l.put(t, `"1-2:A-B"`, catalog.Area{AreaID: "floor", Capacity: 3})
	drawing, err := c.Drawing(t.Context(), "gala")
	require.NoError(t, err)
	require.Equal(t, 7, drawing.Plan.Len())
	whole := l.plan
	for _, damaged := range [][]byte{[]byte("{"), []byte("{\n"), append([]byte("[]\n"), "no gzip"...), whole[:len(whole)-6]} {
		l.plan = damaged
		_, err := c.Drawing(t.Context(), "gala")
		require.Error(t, err, "%q", damaged)
	}
	l.put(t, `"1-40:1-50"`)
	_, err = c.Drawing(t.Context(), "gala")
	require.Error(t, err, "a plan that is refused")
}
