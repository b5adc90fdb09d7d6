package seatlock_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// put puts the event and requires success.
func (b *testBundle) put(t *testing.T, put seatlock.Put) seatlock.Event {
	t.Helper()
	e, _, err := b.locker.PutEvent(t.Context(), event, put)
	require.NoError(t, err)
	return e
}

// oneOf returns a HasSeat of a plan with these seats.
func oneOf(seats ...string) func(string) bool {
	return func(seat string) bool { return slices.Contains(seats, seat) }
}

func TestPutEvent_CreatesAndReplaces(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		_, err := b.locker.Event(t.Context(), event)
		require.ErrorIs(t, err, seatlock.ErrUnknownEvent)
		first, isNew, err := b.locker.PutEvent(t.Context(), event, seatlock.Put{Document: []byte("one"), Plan: []byte("plan:1")})
		require.NoError(t, err)
		require.True(t, isNew)
		require.Equal(t, first.Version, first.PlanVersion)
		second, isNew, err := b.locker.PutEvent(t.Context(), event, seatlock.Put{Document: []byte("two"), Plan: []byte("plan:1")})
		require.NoError(t, err)
		require.False(t, isNew)
		require.Greater(t, second.Version, first.Version)
		require.Equal(t, first.PlanVersion, second.PlanVersion, "the plan is the same")
		third := b.put(t, seatlock.Put{Document: []byte("three")})
		require.Equal(t, third.Version, third.PlanVersion)

		found, err := b.locker.Event(t.Context(), event)
		require.NoError(t, err)
		require.Equal(t, third, found)
		version, plan, err := b.locker.Plan(t.Context(), event)
		require.NoError(t, err)
		require.Equal(t, third.PlanVersion, version)
		require.Empty(t, plan)
		fourth := b.put(t, seatlock.Put{Plan: []byte("plan:2")})
		version, plan, err = b.locker.Plan(t.Context(), event)
		require.NoError(t, err)
		require.Equal(t, fourth.PlanVersion, version)
		require.Equal(t, "plan:2", string(plan))
	})
}

func TestPutEvent_ChecksVersion(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		e := b.put(t, seatlock.Put{Version: new(int64(0))})
		for _, wrong := range []int64{0, e.Version - 1, e.Version + 1} {
			_, _, err := b.locker.PutEvent(t.Context(), event, seatlock.Put{Version: &wrong, Document: []byte("lost")})
			require.ErrorIs(t, err, seatlock.ErrVersion)
		}
		require.Equal(t, "won", string(b.put(t, seatlock.Put{Version: &e.Version, Document: []byte("won")}).Document))
	})
}

func TestPutEvent_OneOfConcurrentCallsWins(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		e := b.put(t, seatlock.Put{})
		errs := make([]error, 8)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				_, _, errs[i] = b.locker.PutEvent(context.Background(), event, seatlock.Put{Version: &e.Version, Document: []byte{byte(i)}})
			})
		}
		all.Wait()
		found, err := b.locker.Event(t.Context(), event)
		require.NoError(t, err)
		for i, err := range errs {
			if i == int(found.Document[0]) {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, seatlock.ErrVersion)
			}
		}
	})
}

func TestPutEvent_RefusesInvalidSettings(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	for _, s := range []seatlock.Settings{
		{OnSale: time.UnixMilli(0)}, {OffSale: time.UnixMilli(-1)}, {HoldTime: -1}, {MaxHoldTime: -1}, {HoldTime: 2, MaxHoldTime: 1}, {MaxSeatsPerUser: new(-1)},
	} {
		_, _, err := b.locker.PutEvent(t.Context(), event, seatlock.Put{Settings: s})
		require.ErrorIs(t, err, seatlock.ErrInvalid, "%+v", s)
	}
	_, _, err := b.locker.PutEvent(t.Context(), "no event", seatlock.Put{})
	require.ErrorIs(t, err, seatlock.ErrInvalid)
	require.Empty(t, b.keys(t))
}

func TestReserve_ObeysSaleWindow(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t) // its clock moves only by Advance
	b := setup(t, r)
	now := redisNow(t, b).UTC()
	b.put(t, seatlock.Put{Settings: seatlock.Settings{OnSale: now.Add(time.Second), OffSale: now.Add(time.Minute)}})
	refuse := func() {
		t.Helper()
		_, err := b.locker.Reserve(t.Context(), event, []string{"1A", "1B"}, ann)
		var refusal *seatlock.NotOnSaleError
		require.ErrorAs(t, err, &refusal)
		require.ErrorIs(t, err, seatlock.ErrNotOnSale)
		require.Equal(t, now.Add(time.Second), refusal.OnSaleAt)
		b.status(t, "1B", seatlock.Available)
	}
	refuse()
	r.Advance(t, time.Second-time.Millisecond)
	refuse()
	r.Advance(t, time.Millisecond)
	hold := b.reserve(t, ann, "1A")
	r.Advance(t, 59*time.Second)
	refuse()
	require.Equal(t, hold.Deadline, b.reserve(t, ann, "1A").Deadline, "the hold is not new")
	require.Greater(t, b.extend(t, ann, "1A").Deadline, hold.Deadline)
	b.buy(t, ann, "1A")
	b.put(t, seatlock.Put{})
	b.reserve(t, ann, "1B")
}

func TestReserve_ObeysSettingsOfEvent(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		settings := seatlock.Settings{HoldTime: 20 * time.Minute, MaxSeatsPerUser: new(2)}
		b.put(t, seatlock.Put{Settings: settings})
		require.Equal(t, 20*time.Minute, b.reserve(t, ann, "1A", "1B").ExpiresIn)
		require.Greater(t, b.status(t, "1A", seatlock.Reserved).ExpiresIn, 19*time.Minute)
		found, err := b.locker.Map(t.Context(), event)
		require.NoError(t, err)
		require.Greater(t, found.Seats[0].ExpiresIn, 19*time.Minute)
		_, err = b.locker.Reserve(t.Context(), event, []string{"1C"}, ann)
		var limit *seatlock.LimitError
		require.ErrorAs(t, err, &limit)
		require.Equal(t, seatlock.LimitError{Limit: 2, Held: 2}, *limit)
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1B"}, ann))
		b.buy(t, ann, "1A")
		b.reserve(t, ann, "1C")

		settings.HoldTime, settings.MaxHoldTime, settings.MaxSeatsPerUser = 10*time.Second, 15*time.Second, nil
		b.put(t, seatlock.Put{Settings: settings})
		require.LessOrEqual(t, b.reserve(t, ann, "1D", "1E").ExpiresIn, 10*time.Second)
		require.LessOrEqual(t, b.extend(t, ann, "1D").ExpiresIn, 10*time.Second)
		require.LessOrEqual(t, b.status(t, "1D", seatlock.Reserved).ExpiresIn, 10*time.Second)
	})
}

func TestExtend_NeverPassesMaxHoldTimeOfEvent(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t) // only its clock can be moved
	b := setup(t, r)
	b.put(t, seatlock.Put{Settings: seatlock.Settings{HoldTime: 10 * time.Second, MaxHoldTime: 15 * time.Second}})
	first := b.reserve(t, ann, "1A").Deadline
	r.Advance(t, 8*time.Second)
	require.Equal(t, first.Add(5*time.Second), b.extend(t, ann, "1A").Deadline)
}

// The hold time of an event may be longer than Options.MaxHoldTime.
func TestReserve_KeepsIndexThroughHoldTimeOfEvent(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t) // only its clock can be moved
	b := setup(t, r)
	b.put(t, seatlock.Put{Settings: seatlock.Settings{HoldTime: 2 * time.Hour}})
	b.reserve(t, ann, "1A")
	r.Advance(t, 2*time.Hour-time.Second)
	require.Equal(t, []string{"1A Reserved"}, seatLines(b.newView(t)))
}

func TestLocker_RefusesOtherVersionsOfPlan(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		none := seatlock.Terms{PlanVersion: new(int64(0))}
		_, err := b.locker.ReserveOn(t.Context(), event, []string{"1A"}, ann, none)
		require.NoError(t, err, "the event has no settings")
		e := b.put(t, seatlock.Put{Plan: []byte("1")})
		present := seatlock.Terms{PlanVersion: &e.PlanVersion}
		seats := []string{"1A"}
		for name, call := range map[string]func(seatlock.Terms) error{
			"reserve": func(terms seatlock.Terms) error {
				_, err := b.locker.ReserveOn(t.Context(), event, []string{"1B"}, ann, terms)
				return err
			},
			"extend": func(terms seatlock.Terms) error {
				_, err := b.locker.ExtendOn(t.Context(), event, seats, ann, terms)
				return err
			},
			"status": func(terms seatlock.Terms) error {
				_, err := b.locker.StatusOn(t.Context(), event, "1A", terms)
				return err
			},
			"block": func(terms seatlock.Terms) error {
				return b.locker.Block(t.Context(), event, []string{"1X"}, "house", terms)
			},
			"unblock": func(terms seatlock.Terms) error {
				return b.locker.Unblock(t.Context(), event, []string{"1Y"}, "house", terms)
			},
			"buy": func(terms seatlock.Terms) error { return b.locker.BuyOn(t.Context(), event, seats, ann, terms) },
		} {
			before := b.changes(t, seatlock.NoChange)
			require.ErrorIs(t, call(none), seatlock.ErrStalePlan, name)
			require.Equal(t, before, b.changes(t, seatlock.NoChange), name)
			require.NoError(t, call(present), name)
		}
		require.ErrorIs(t, b.locker.ReleaseOn(t.Context(), event, []string{"1B"}, ann, none), seatlock.ErrStalePlan)
		require.NoError(t, b.locker.ReleaseOn(t.Context(), event, []string{"1B"}, ann, present))
	})
}

func TestReserve_ServesConcurrentCallsWithDifferentTerms(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		present := b.put(t, seatlock.Put{}).PlanVersion
		require.NoError(t, b.locker.Block(t.Context(), event, seatNames(20), "house", seatlock.Terms{}))
		errs := make([]error, 60)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				terms := []seatlock.Terms{{PlanVersion: &present}, {PlanVersion: new(present - 1)}, {Channel: "house"}}[i%3]
				seat := fmt.Sprint("free-", i)
				if i%3 == 2 {
					seat = fmt.Sprint(i / 3)
				}
				_, errs[i] = b.locker.ReserveOn(context.Background(), event, []string{seat}, ann, terms)
			})
		}
		all.Wait()
		for i, err := range errs {
			if i%3 == 1 {
				require.ErrorIs(t, err, seatlock.ErrStalePlan)
			} else {
				require.NoError(t, err)
			}
		}
	})
}

func TestPutEvent_NeverDropsSeatsInUse(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A")
		b.reserve(t, bob, "1B")
		b.buy(t, bob, "1B")
		require.NoError(t, b.locker.Block(t.Context(), event, []string{"1C"}, "house", seatlock.Terms{}))
		_, _, err := b.locker.PutEvent(t.Context(), event, seatlock.Put{Plan: []byte("x"), HasSeat: oneOf("1D")})
		requireConflict(t, err, seatlock.ErrPlanDropsSeats, "1A Reserved", "1B Sold", "1C Blocked")
		_, err = b.locker.Event(t.Context(), event)
		require.ErrorIs(t, err, seatlock.ErrUnknownEvent, "nothing has changed")
		require.Equal(t, 1, b.put(t, seatlock.Put{Plan: []byte("1"), HasSeat: oneOf("1A", "1B", "1C", "1D")}).Blocked)
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1A"}, ann))
		b.put(t, seatlock.Put{Plan: []byte("2"), HasSeat: oneOf("1B", "1C")})
	})
}

// Another call puts the event after PutEvent has read its version, and before it writes.
func TestPutEvent_ReplacesOnlyVersionThatItRead(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A")
		e := b.put(t, seatlock.Put{})
		for _, c := range []struct {
			version *int64
			err     error
			want    string
		}{{&e.Version, seatlock.ErrVersion, "other"}, {nil, nil, "own"}} {
			once := sync.OnceFunc(func() { b.put(t, seatlock.Put{Document: []byte("other")}) })
			_, _, err := b.locker.PutEvent(t.Context(), event, seatlock.Put{Version: c.version, Document: []byte("own"), Plan: []byte("x"), HasSeat: func(string) bool {
				once()
				return true
			}})
			require.ErrorIs(t, err, c.err)
			found, err := b.locker.Event(t.Context(), event)
			require.NoError(t, err)
			require.Equal(t, c.want, string(found.Document))
		}
	})
}

// A process that still has the plan of the deleted event can't take it for the new one.
func TestPutEvent_NeverUsesVersionAgain(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		var last int64
		for range 3 {
			e := b.put(t, seatlock.Put{})
			require.Greater(t, e.Version, last)
			last = b.put(t, seatlock.Put{Plan: []byte("x")}).Version
			require.NoError(t, b.locker.DeleteEvent(t.Context(), event, false))
			r.Advance(t, time.Millisecond)
		}
	})
}

// A seat is reserved after PutEvent has read the seats, and before it writes the plan.
func TestPutEvent_SeesSeatsThatAreReservedMeanwhile(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A")
		once := sync.OnceFunc(func() { b.reserve(t, bob, "2A") })
		_, _, err := b.locker.PutEvent(t.Context(), event, seatlock.Put{Plan: []byte("x"), HasSeat: func(seat string) bool {
			once()
			return seat == "1A"
		}})
		requireConflict(t, err, seatlock.ErrPlanDropsSeats, "2A Reserved")
	})
}

func TestEvents_ListsInOrder(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		for _, id := range []string{"c", "a", "b", "a"} {
			_, _, err := b.locker.PutEvent(t.Context(), id, seatlock.Put{})
			require.NoError(t, err)
		}
		list := func(after string, limit int) []string {
			found, err := b.locker.Events(t.Context(), after, limit)
			require.NoError(t, err)
			return found
		}
		require.Equal(t, []string{"a", "b", "c"}, list("", 10))
		require.Equal(t, []string{"a", "b"}, list("", 2))
		require.Equal(t, []string{"c"}, list("b", 2))
		require.Empty(t, list("c", 2))
	})
}

func TestDeleteEvent_LeavesNoKey(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setupWith(t, r, seatlock.Options{HoldTime: holdTime, MaxSeatsPerUser: 10})
		require.ErrorIs(t, b.locker.DeleteEvent(t.Context(), event, true), seatlock.ErrUnknownEvent)
		b.put(t, seatlock.Put{Plan: []byte("x")})
		b.reserve(t, ann, "1A")
		b.reserve(t, bob, "1B")
		require.NoError(t, b.locker.Block(t.Context(), event, []string{"1C"}, "house", seatlock.Terms{}))
		_, err := b.locker.Reserve(t.Context(), "gala2", []string{"1A"}, ann)
		require.NoError(t, err)
		require.ErrorIs(t, b.locker.DeleteEvent(t.Context(), event, true), seatlock.ErrHasHolds)
		b.buy(t, ann, "1A")
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1B"}, bob))
		require.ErrorIs(t, b.locker.DeleteEvent(t.Context(), event, false), seatlock.ErrHasSales)
		b.status(t, "1A", seatlock.Sold)

		require.NoError(t, b.locker.DeleteEvent(t.Context(), event, true))
		require.ElementsMatch(t, []string{"seat:{gala2}:1A", "seats:{gala2}", "changes:{gala2}", "user:{gala2}:" + ann}, b.keys(t))
		b.status(t, "1A", seatlock.Available)
		b.reserve(t, bob, "1A", "1C")
	})
}

func TestDeleteEvent_KeepsOthersOutAndGoesOn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.put(t, seatlock.Put{})
		view := b.newView(t)
		require.NoError(t, b.redis.HSet(t.Context(), "event:{gala}", "settings", "deleting").Err()) // as lua/delete.lua leaves it
		_, reserveErr := b.locker.Reserve(t.Context(), event, []string{"1A"}, ann)
		_, statusErr := b.locker.Status(t.Context(), event, "1A")
		_, viewErr := view.Refresh(t.Context())
		_, eventErr := b.locker.Event(t.Context(), event)
		_, _, putErr := b.locker.PutEvent(t.Context(), event, seatlock.Put{})
		for _, err := range []error{
			reserveErr, statusErr, viewErr, eventErr, putErr, b.locker.Buy(t.Context(), event, []string{"1A"}, ann),
			b.locker.Block(t.Context(), event, []string{"1A"}, "house", seatlock.Terms{}),
		} {
			require.ErrorIs(t, err, seatlock.ErrUnknownEvent)
			require.NotErrorIs(t, err, seatlock.ErrUnavailable)
		}
		require.NoError(t, b.locker.DeleteEvent(t.Context(), event, false))
		require.Empty(t, b.keys(t))
		b.reserve(t, ann, "1A")
	})
}

// A user's name may look like the hash tag of another event.
func TestDeleteEvent_KeepsKeysOfOtherEvents(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setupWith(t, r, seatlock.Options{HoldTime: holdTime, MaxSeatsPerUser: 1})
		b.put(t, seatlock.Put{})
		const user = "x:{gala}y"
		_, err := b.locker.Reserve(t.Context(), "other", []string{"1A"}, user)
		require.NoError(t, err)
		before := b.keys(t)
		require.NoError(t, b.locker.DeleteEvent(t.Context(), event, false))
		require.ElementsMatch(t, []string{"seat:{other}:1A", "seats:{other}", "changes:{other}", "user:{other}:" + user}, b.keys(t), "before: %v", before)
		_, err = b.locker.Reserve(t.Context(), "other", []string{"1B"}, user)
		require.ErrorIs(t, err, seatlock.ErrSeatLimit)
	})
}

// Another call deletes the event first, and a seller puts it on sale again.
func TestDeleteEvent_KeepsEventThatWasPutAgain(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		var again func()
		client := r.Client(t)
		client.AddHook(commandHook{before: func(name string) error {
			if name == "scan" && again != nil {
				again()
			}
			return nil
		}})
		slow := newLocker(t, client, time.Minute)
		for _, found := range []bool{true, false} { // whether the scan finds a key
			b.put(t, seatlock.Put{})
			again = func() {
				again = nil
				require.NoError(t, b.locker.DeleteEvent(t.Context(), event, true))
				b.put(t, seatlock.Put{})
				if found {
					b.reserve(t, ann, "1A")
					b.buy(t, ann, "1A")
				}
			}
			require.NoError(t, slow.DeleteEvent(t.Context(), event, true))
			require.Nil(t, again)
			_, err := b.locker.Event(t.Context(), event)
			require.NoError(t, err)
			events, err := b.locker.Events(t.Context(), "", 10)
			require.NoError(t, err)
			require.Equal(t, []string{event}, events)
			if found {
				b.status(t, "1A", seatlock.Sold)
			}
		}
	})
}

// commandHook calls before with the name of the first command of each pipeline. If that
// returns an error, the pipeline is not sent and fails with it.
type commandHook struct {
	scanHook
	before func(name string) error
}

func (h commandHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := h.before(cmds[0].Name()); err != nil {
			cmds[0].SetErr(err)
			return err
		}
		return next(ctx, cmds)
	}
}
