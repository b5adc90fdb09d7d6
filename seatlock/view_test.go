package seatlock_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// newView returns a View of the event that was loaded.
func (b *testBundle) newView(t *testing.T) *seatlock.View {
	t.Helper()
	view, err := b.locker.NewView(event)
	require.NoError(t, err)
	_, err = view.Refresh(t.Context())
	require.NoError(t, err)
	return view
}

// seatLines returns "id status" for each seat of a View.
func seatLines(view *seatlock.View) []string {
	var lines []string
	for seat := range view.Seats() {
		lines = append(lines, seat.ID+" "+seat.Status.String())
	}
	return lines
}

func TestView_FollowsChanges(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1C", "1B")
		view := b.newView(t)
		require.Equal(t, []string{"1B Reserved", "1C Reserved"}, seatLines(view))
		b.reserve(t, bob, "1A", "1D")
		b.buy(t, bob, "1A")
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1C"}, ann))
		b.reserve(t, bob, "1C")

		update, err := view.Refresh(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"held[1A 1D]", "sold[1A]", "released[1C]", "held[1C]"}, lines(update.Changes))
		require.False(t, update.Reset || update.More)
		require.Equal(t, []string{"1A Sold", "1B Reserved", "1C Reserved", "1D Reserved"}, seatLines(view))
		require.Equal(t, 4, view.Len())
		require.Equal(t, b.last(t), view.Position())
	})
}

func TestView_LoadsHallInPages(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		var want []string
		for i := range 50 {
			seats := make([]string, 100)
			for j := range seats {
				seats[j] = fmt.Sprintf("%02d-%02d", i, j)
				want = append(want, seats[j]+" Reserved")
			}
			b.reserve(t, ann, seats...)
		}
		require.Equal(t, want, seatLines(b.newView(t)))
	})
}

func TestView_ReadsChangesInParts(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A")
		view := b.newView(t)
		for i := range 700 {
			b.reserve(t, ann, strconv.Itoa(i))
		}
		var sizes []int
		for more := true; more; {
			update, err := view.Refresh(t.Context())
			require.NoError(t, err)
			sizes, more = append(sizes, len(update.Changes)), update.More
		}
		require.Equal(t, []int{500, 200}, sizes)
	})
}

// A view that loses its position loads again and says so: Redis lost its data, the stream was
// trimmed, or it was deleted.
func TestView_ResetsIfChangesAreLost(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		for name, lose := range map[string]func(){
			"FlushAll": func() { require.NoError(t, b.redis.FlushAll(t.Context()).Err()) },
			"Trim": func() {
				b.reserve(t, ann, "0X")
				require.NoError(t, b.redis.XTrimMaxLen(t.Context(), "changes:{gala}", 1).Err())
			},
			"DeletedStream": func() { require.NoError(t, b.redis.Del(t.Context(), "changes:{gala}").Err()) },
		} {
			b.reserve(t, ann, "1A", "1B")
			view := b.newView(t)
			before := view.Position()
			r.Advance(t, time.Millisecond)
			lose()
			b.reserve(t, bob, "2A-"+name)
			update, err := view.Refresh(t.Context())
			require.NoError(t, err)
			require.True(t, update.Reset, name)
			require.Empty(t, update.Changes)
			require.Contains(t, seatLines(view), "2A-"+name+" Reserved")
			if name != "Trim" {
				epoch, _, _ := strings.Cut(before, "-")
				require.False(t, strings.HasPrefix(view.Position(), epoch+"-"), "%s: the epoch stays", name)
			}
			_, err = b.locker.Changes(t.Context(), event, before, 1)
			require.ErrorIs(t, err, seatlock.ErrReset)
			require.NoError(t, b.redis.FlushAll(t.Context()).Err())
			r.Advance(t, time.Millisecond)
		}
	})
}

// A clock that goes back does not make the ID of a change smaller, nor a stream that an
// earlier version began, or from which an operator deleted the last change.
func TestChanges_HaveGreaterIDs(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		for name, begin := range map[string]func() string{
			"EarlierVersion": func() string {
				b.fill(t, 1, 10_000)
				return b.last(t)
			},
			"InTheFuture": func() string {
				id := fmt.Sprintf("%d-%d", time.Now().UnixMicro(), time.Now().Add(time.Hour).UnixMicro())
				require.NoError(t, b.redis.XAdd(t.Context(), &redis.XAddArgs{Stream: "changes:{gala}", ID: id, Values: []string{"type", "sold", "seats", "0A", "deadline", ""}}).Err())
				return id
			},
			"LastDeleted": func() string {
				b.reserve(t, ann, "0A")
				b.reserve(t, ann, "0B")
				last := b.last(t)
				require.NoError(t, b.redis.XDel(t.Context(), "changes:{gala}", last).Err())
				return b.last(t)
			},
		} {
			after := begin()
			r.Advance(t, time.Millisecond)
			b.reserve(t, ann, "1A")
			b.buy(t, ann, "1A")
			require.Equal(t, []string{"held[1A]", "sold[1A]"}, b.changes(t, after), name)
			require.NoError(t, b.redis.FlushAll(t.Context()).Err())
		}
	})
}

func TestSubscription_ReceivesFirstChangeAfterSilence(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		s := b.locker.Subscribe()
		require.NoError(t, s.Add(t.Context(), event))
		require.NoError(t, s.Add(t.Context(), "other"))
		require.ElementsMatch(t, []string{event, "other"}, []string{<-s.Events(), <-s.Events()}, "the beginnings")
		b.reserve(t, ann, "1A")
		require.Equal(t, event, <-s.Events())
		require.NoError(t, s.Remove(t.Context(), event))
		_, err := b.locker.Reserve(t.Context(), "other", []string{"1A"}, ann)
		require.NoError(t, err)
		require.Equal(t, "other", <-s.Events())
		require.NoError(t, s.Close())
		for range s.Events() {
		}
	})
}

// A failover to a server whose clock is behind delays no message.
func TestSubscription_ReceivesChangesIfClockWentBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		id := fmt.Sprintf("1-%d", time.Now().Add(time.Hour).UnixMicro())
		require.NoError(t, b.redis.XAdd(t.Context(), &redis.XAddArgs{Stream: "changes:{gala}", ID: id, Values: []string{"type", "sold", "seats", "0A", "deadline", ""}}).Err())
		s := b.locker.Subscribe()
		require.NoError(t, s.Add(t.Context(), event))
		require.Equal(t, event, <-s.Events(), "the beginning")
		b.reserve(t, ann, "1A")
		require.Equal(t, event, <-s.Events())
		require.NoError(t, s.Close())
		for range s.Events() {
		}
	})
}

// zscanHook makes ZSCAN fail.
type zscanHook struct{ redis.Hook }

func (zscanHook) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (zscanHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (zscanHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() == "zscan" {
			cmds[0].SetErr(io.ErrUnexpectedEOF)
			return io.ErrUnexpectedEOF
		}
		return next(ctx, cmds)
	}
}

// A View that can't load again returns the changes that it has read: they are in the View, so
// no later Refresh would return them.
func TestView_KeepsChangesIfRepairFails(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	b := setup(t, r)
	b.reserve(t, ann, "1A")
	client := r.Client(t)
	locker, err := seatlock.New(client, seatlock.Options{Timeout: time.Minute})
	require.NoError(t, err)
	view, err := locker.NewView(event)
	require.NoError(t, err)
	_, err = view.Refresh(t.Context())
	require.NoError(t, err)
	client.AddHook(zscanHook{})
	require.NoError(t, b.redis.ZRem(t.Context(), "seats:{gala}", "1A").Err())
	b.reserve(t, ann, "1B")
	update, err := view.Refresh(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"held[1B]"}, lines(update.Changes))
}

// scanHook calls begin before a page of the index is read, and end after that.
type scanHook struct {
	redis.Hook
	begin, end func()
}

func (scanHook) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (scanHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (h scanHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		scan := cmds[0].Name() == "zscan"
		if scan && h.begin != nil {
			h.begin()
		}
		err := next(ctx, cmds)
		if scan && h.end != nil {
			h.end()
		}
		return err
	}
}

// viewWith returns a View whose client has a hook.
func viewWith(t *testing.T, r *redistest.Redis, hook redis.Hook) *seatlock.View {
	t.Helper()
	client := r.Client(t)
	client.AddHook(hook)
	view, err := newLocker(t, client, time.Minute).NewView(event)
	require.NoError(t, err)
	return view
}

func TestView_AppliesChangesThatComeWhileItLoads(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A", "1B")
		scans := 0
		view := viewWith(t, r, scanHook{
			begin: func() { b.buy(t, ann, "1A"); scans++ },
			end: func() {
				require.NoError(t, b.locker.Release(t.Context(), event, []string{"1B"}, ann))
				b.reserve(t, bob, "1C")
			},
		})
		_, err := view.Refresh(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"1A Sold", "1C Reserved"}, seatLines(view))
		require.Equal(t, b.last(t), view.Position())
		require.Equal(t, 1, scans)
		update, err := view.Refresh(t.Context())
		require.NoError(t, err)
		require.Empty(t, update.Changes)
	})
}

// An operator removes a seat from the index while a View loads.
func TestView_LoadsAgainIfSeatsDiffer(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	b := setup(t, r)
	b.reserve(t, ann, "1A", "1B")
	view := viewWith(t, r, scanHook{end: func() {
		require.NoError(t, b.redis.ZRem(t.Context(), "seats:{gala}", "1A").Err())
	}})
	_, err := view.Refresh(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"1B Reserved"}, seatLines(view))
}

// scriptHook loses the first replies of scripts.
type scriptHook struct {
	scanHook
	lose *int
}

func (h scriptHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if *h.lose > 0 && strings.HasPrefix(cmds[0].Name(), "eval") {
			*h.lose--
			cmds[0].SetErr(io.ErrUnexpectedEOF)
			return io.ErrUnexpectedEOF
		}
		return next(ctx, cmds)
	}
}

func TestView_IsEmptyAfterLoadThatFailed(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	setup(t, r).reserve(t, ann, "1A")
	lose := 3 // Refresh retries twice
	view := viewWith(t, r, scriptHook{lose: &lose})
	_, err := view.Refresh(t.Context())
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	require.Empty(t, seatLines(view))
	require.Empty(t, view.Position())
	_, err = view.Refresh(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"1A Reserved"}, seatLines(view))
}

func TestView_LoadsThreeTimesIfRedisIsReplaced(t *testing.T) {
	t.Parallel()
	for losses, want := range map[int]error{2: nil, 3: seatlock.ErrUnavailable} {
		t.Run(fmt.Sprint(losses), func(t *testing.T) {
			t.Parallel()
			r := redistest.Mini(t)
			b := setup(t, r)
			b.reserve(t, ann, "1A")
			lost := 0
			view := viewWith(t, r, scanHook{begin: func() {
				if lost < losses {
					lost++
					require.NoError(t, b.redis.FlushAll(t.Context()).Err())
					r.Advance(t, time.Millisecond) // otherwise the same IDs come again
					b.reserve(t, ann, fmt.Sprint("2", lost))
				}
			}})
			update, err := view.Refresh(t.Context())
			require.ErrorIs(t, err, want)
			require.Equal(t, losses, lost)
			require.False(t, update.Reset, "nothing was loaded before")
			if want == nil {
				require.Equal(t, []string{"22 Reserved"}, seatLines(view))
			} else {
				require.Empty(t, seatLines(view))
				require.Empty(t, view.Position())
			}
		})
	}
}

// The deadline of a hold has passed, but Redis still has its key.
func TestView_LeavesOutLapsedSeats(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A", "1B")
		require.Zero(t, b.newView(t).Lapsed())
		require.NoError(t, b.redis.ZAdd(t.Context(), "seats:{gala}", redis.Z{Score: 1, Member: "1A"}).Err())
		view := b.newView(t)
		require.Equal(t, []string{"1B Reserved"}, seatLines(view))
		require.Equal(t, 2, view.Len())
		require.Equal(t, 1, view.Lapsed())
	})
}

// A View agrees with the keys whatever happens: calls whose replies are lost, a Redis that
// loses its data or its stream, holds that end, keys that an operator deletes, seats that are
// blocked, events that are deleted and put again.
func TestView_AgreesWithKeys(t *testing.T) {
	t.Parallel()
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(rt *rapid.T) { viewHistory(t, rt, redistest.Mini(t)) })
	})
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		r := redistest.Server(t)
		rapid.Check(t, func(rt *rapid.T) { viewHistory(t, rt, r) })
	})
}

func viewHistory(t *testing.T, rt *rapid.T, r *redistest.Redis) {
	ctx := context.Background()
	admin := r.Admin(t)
	require.NoError(rt, admin.FlushAll(ctx).Err())
	proxy := redistest.NewProxy(t, r)
	newLocker := func(client *redis.Client) *seatlock.Locker {
		locker, err := seatlock.New(client, seatlock.Options{HoldTime: time.Hour, MaxHoldTime: time.Hour, Timeout: time.Minute})
		require.NoError(rt, err)
		return locker
	}
	caller, reader := newLocker(r.Client(t, proxy.Addr)), newLocker(r.Client(t))
	views, streamDeleted := map[string]*seatlock.View{}, false
	for range rapid.IntRange(5, 40).Draw(rt, "steps") {
		user := rapid.SampledFrom([]string{ann, bob}).Draw(rt, "user")
		channel := rapid.SampledFrom([]string{"house", "house", "sponsor"}).Draw(rt, "channel")
		seats := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1A", "1B", "1C", "1D", "1E"}), 1, 3, rapid.ID[string]).Draw(rt, "seats")
		switch step := rapid.SampledFrom([]string{"reserve", "reserve", "reserve", "buy", "return", "exchange", "extend", "release", "block", "block", "unblock", "reserve from channel", "reserve from channel", "put", "delete event", "lose reply", "advance", "delete key", "delete stream", "flush", "refresh", "refresh", "seats of user", "seats of user", "join", "leave"}).Draw(rt, "step"); step {
		case "reserve":
			_, _ = caller.Reserve(ctx, event, seats, user)
		case "buy":
			_ = caller.Buy(ctx, event, seats, user)
		case "return":
			_ = caller.Return(ctx, event, seats, user, seatlock.Terms{})
		case "exchange":
			_ = caller.Exchange(ctx, event, seats[:1], []string{"2A"}, user, seatlock.Terms{})
			_ = caller.Exchange(ctx, event, []string{"2A"}, seats[:1], user, seatlock.Terms{})
			_ = caller.Exchange(ctx, event, seats[:1], []string{"2A"}, user, seatlock.Terms{})
		case "extend":
			_, _ = caller.Extend(ctx, event, seats, user)
		case "release":
			_ = caller.Release(ctx, event, seats, user)
		case "block":
			_ = caller.Block(ctx, event, seats, channel, seatlock.Terms{})
		case "unblock":
			_ = caller.Unblock(ctx, event, seats, channel, seatlock.Terms{})
		case "reserve from channel":
			_, _ = caller.ReserveOn(ctx, event, seats[:1], user, seatlock.Terms{Channel: channel})
		case "put":
			_, _, _ = caller.PutEvent(ctx, event, seatlock.Put{Plan: []byte(user)})
		case "delete event":
			_ = caller.DeleteEvent(ctx, event, true)
			r.Advance(t, time.Millisecond) // otherwise the same IDs come again
		case "lose reply":
			proxy.LoseNextReply()
			switch user {
			case ann:
				_, _ = caller.Reserve(ctx, event, seats, user)
			default:
				_ = caller.Block(ctx, event, seats, channel, seatlock.Terms{})
			}
		case "advance":
			r.Advance(t, time.Duration(rapid.SampledFrom([]int{1, 10, 3_600_001}).Draw(rt, "ms"))*time.Millisecond)
		case "delete key":
			require.NoError(rt, admin.Del(ctx, "seat:{gala}:"+seats[0]).Err())
		case "delete stream":
			if !streamDeleted { // a View may take seconds to notice it again
				streamDeleted = true
				require.NoError(rt, admin.Del(ctx, "changes:{gala}").Err())
				r.Advance(t, time.Millisecond) // otherwise the same IDs come again
			}
		case "flush":
			require.NoError(rt, admin.FlushAll(ctx).Err())
			r.Advance(t, time.Millisecond)
		case "join":
			view, err := reader.NewView(event)
			require.NoError(rt, err)
			views[user] = view
		case "leave":
			delete(views, user)
		case "refresh":
			if view := views[user]; view != nil {
				_, err := view.Refresh(ctx)
				require.NoError(rt, err)
			}
		case "seats of user": // from then on, Refresh keeps them
			if view := views[user]; view != nil {
				_, err := view.SeatsOf(ctx, user)
				require.NoError(rt, err)
			}
		}
	}
	fresh, err := reader.NewView(event)
	require.NoError(rt, err)
	views["fresh"] = fresh
	_, err = fresh.Refresh(ctx) // compares the keys, and appends what it finds
	require.NoError(rt, err)
	for name, view := range views {
		update, err := view.Refresh(ctx)
		require.NoError(rt, err)
		require.False(rt, update.More)
		require.Equal(rt, seatKeys(rt, admin), seatLines(view), name)
		for _, user := range []string{ann, bob} {
			seats, err := view.SeatsOf(ctx, user)
			require.NoError(rt, err)
			require.Subset(rt, seats, seatsOf(rt, reader, view, user), name)
		}
	}
}

// seatsOf returns the seats of a user by the keys of all seats of a View.
func seatsOf(rt *rapid.T, locker *seatlock.Locker, view *seatlock.View, user string) (seats []string) {
	var all []string
	for seat := range view.Seats() {
		all = append(all, seat.ID)
	}
	holdings, err := locker.Holdings(context.Background(), event, all)
	require.NoError(rt, err)
	for _, h := range holdings {
		if h.User == user {
			seats = append(seats, h.ID)
		}
	}
	return seats
}

// seatKeys returns "id status" for each seat that has a key or is blocked.
func seatKeys(rt *rapid.T, client *redis.Client) []string {
	keys, err := client.Keys(context.Background(), "seat:{gala}:*").Result()
	require.NoError(rt, err)
	blocked, err := client.HGetAll(context.Background(), "blocked:{gala}").Result()
	require.NoError(rt, err)
	var lines []string
	for _, key := range keys {
		value, err := client.Get(context.Background(), key).Result()
		if err != nil {
			continue
		}
		status := " Reserved"
		if strings.HasPrefix(value, "sold:") {
			status = " Sold"
		}
		id := strings.TrimPrefix(key, "seat:{gala}:")
		lines = append(lines, id+status)
		delete(blocked, id)
	}
	for id := range blocked {
		lines = append(lines, id+" Blocked")
	}
	slices.Sort(lines)
	return lines
}
