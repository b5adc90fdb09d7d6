package seatlock_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

const (
	modelHold  = 100 * time.Second
	modelMax   = 250 * time.Second
	modelLimit = 3
)

// modelSeat is the state of a seat that is not free.
type modelSeat struct {
	user     string
	sold     bool
	order    string
	deadline time.Time // zero if sold
	latest   time.Time
}

// model is an event in plain Go, and the changes that its stream must have.
type model struct {
	now     time.Time
	seats   map[string]modelSeat // those that are not free
	blocked map[string]string    // seat -> channel
	onSale  time.Time            // the sale window; zero: none
	offSale time.Time
	changes map[string][]seatlock.ChangeType
}

// end ends the hold or the sale of a seat.
func (m *model) end(id string, change seatlock.ChangeType) {
	delete(m.seats, id)
	m.append(change, id)
	if m.blocked[id] != "" {
		m.append(seatlock.ChangeBlocked, id)
	}
}

func (m *model) append(change seatlock.ChangeType, seats ...string) {
	for _, seat := range seats {
		m.changes[seat] = append(m.changes[seat], change)
	}
}

// advance moves the clock, but never exactly to a deadline. It returns by how much.
func (m *model) advance(d time.Duration) time.Duration {
	at := func() bool {
		for _, s := range m.seats {
			if s.deadline.Equal(m.now.Add(d)) {
				return true
			}
		}
		return false
	}
	for at() {
		d += time.Millisecond
	}
	m.now = m.now.Add(d)
	for id, s := range m.seats {
		if !s.sold && s.deadline.Before(m.now) {
			m.end(id, seatlock.ChangeExpired)
		}
	}
	return d
}

func (m *model) count(user string) (held, sold int) {
	for _, s := range m.seats {
		if s.user == user && s.sold {
			sold++
		} else if s.user == user {
			held++
		}
	}
	return held, sold
}

func (m *model) reserve(user string, ids []string, channel string) (time.Time, error) {
	var free []string
	for _, id := range ids {
		s, taken := m.seats[id]
		if taken && (s.sold || s.user != user) || !taken && m.blocked[id] != channel {
			return time.Time{}, seatlock.ErrTaken
		}
		if !taken {
			free = append(free, id)
		}
	}
	onSale := !m.now.Before(m.onSale) && (m.offSale.IsZero() || m.now.Before(m.offSale))
	if len(free) > 0 && channel == "" && !onSale {
		return time.Time{}, seatlock.ErrNotOnSale
	}
	if held, sold := m.count(user); len(free) > 0 && held+sold+len(free) > modelLimit {
		return time.Time{}, seatlock.ErrSeatLimit
	}
	for _, id := range free {
		m.seats[id] = modelSeat{user: user, deadline: m.now.Add(modelHold), latest: m.now.Add(modelMax)}
	}
	m.append(seatlock.ChangeHeld, free...)
	return m.earliest(ids), nil
}

// requireOwner returns why the user may not buy or extend the seats.
func (m *model) requireOwner(user string, ids []string) error {
	var refused error
	for _, id := range ids {
		s, taken := m.seats[id]
		if taken && s.user != user {
			return seatlock.ErrHeldByOther
		}
		if !taken {
			refused = seatlock.ErrHoldExpired
		}
	}
	return refused
}

func (m *model) buy(user string, ids []string, order string) error {
	refused := m.requireOwner(user, ids)
	otherOrder := func(id string) bool { s := m.seats[id]; return s.sold && s.user == user && s.order != order }
	if !errors.Is(refused, seatlock.ErrHeldByOther) && slices.ContainsFunc(ids, otherOrder) {
		refused = seatlock.ErrSold
	}
	if refused != nil {
		return refused
	}
	for _, id := range ids {
		if !m.seats[id].sold {
			m.seats[id] = modelSeat{user: user, sold: true, order: order}
			m.append(seatlock.ChangeSold, id)
		}
	}
	return nil
}

func (m *model) giveBack(user string, ids []string, order string) error {
	for _, id := range ids {
		if s, taken := m.seats[id]; taken && (!s.sold || s.user != user || s.order != order) {
			return seatlock.ErrNotReturnable
		}
	}
	for _, id := range ids {
		if m.seats[id].sold {
			m.end(id, seatlock.ChangeReturned)
		}
	}
	return nil
}

func (m *model) exchange(user string, ids, to []string, order string) error {
	isSold := func(id string) bool { s := m.seats[id]; return s.sold && s.user == user && s.order == order }
	if !slices.ContainsFunc(ids, isSold) && !slices.ContainsFunc(to, func(id string) bool { return !isSold(id) }) {
		return nil // repeated
	}
	if slices.ContainsFunc(ids, func(id string) bool { return !isSold(id) }) {
		return seatlock.ErrNotReturnable
	}
	for _, id := range to {
		s, taken := m.seats[id]
		if taken && (s.sold || s.user != user) || !taken && m.blocked[id] != "" {
			return seatlock.ErrTaken
		}
	}
	for i := range ids {
		m.end(ids[i], seatlock.ChangeExchanged)
		m.seats[to[i]] = modelSeat{user: user, sold: true, order: order}
		m.append(seatlock.ChangeExchanged, to[i])
	}
	return nil
}

func (m *model) extend(user string, ids []string) (time.Time, error) {
	if err := m.requireOwner(user, ids); err != nil {
		return time.Time{}, err
	}
	for _, id := range ids {
		s := m.seats[id]
		to := m.now.Add(modelHold)
		if to.After(s.latest) {
			to = s.latest
		}
		gain := to.Sub(s.deadline)
		if !s.sold && gain >= time.Second {
			s.deadline = to
			m.seats[id] = s
			m.append(seatlock.ChangeExtended, id)
		}
	}
	return m.earliest(ids), nil
}

func (m *model) release(user string, ids []string) error {
	for _, id := range ids {
		if s := m.seats[id]; s.sold && s.user == user {
			return seatlock.ErrSold
		}
	}
	for _, id := range ids {
		if m.seats[id].user == user {
			m.end(id, seatlock.ChangeReleased)
		}
	}
	return nil
}

func (m *model) block(ids []string, channel string, block bool) error {
	for _, id := range ids {
		_, taken := m.seats[id]
		if other := m.blocked[id]; taken || other != "" && other != channel {
			return seatlock.ErrTaken
		}
	}
	for _, id := range ids {
		switch isBlocked := m.blocked[id] != ""; {
		case block && !isBlocked:
			m.blocked[id] = channel
			m.append(seatlock.ChangeBlocked, id)
		case !block && isBlocked:
			delete(m.blocked, id)
			m.append(seatlock.ChangeUnblocked, id)
		}
	}
	return nil
}

// earliest returns the first deadline of the seats, zero if all are sold.
func (m *model) earliest(ids []string) time.Time {
	var first time.Time
	for _, id := range ids {
		if s := m.seats[id]; !s.sold && (first.IsZero() || s.deadline.Before(first)) {
			first = s.deadline
		}
	}
	return first
}

// Random calls of random users at random times get the answers of the model, with seats of
// channels, orders and a sale window. The map, the limit and the replayed changes agree with it,
// too.
func TestLocker_AnswersAsModel(t *testing.T) {
	t.Parallel()
	ids := []string{"1A", "1B", "1C", "1D", "1E"}
	rapid.Check(t, func(rt *rapid.T) {
		r := redistest.Mini(t)
		locker, err := seatlock.New(r.Client(t), seatlock.Options{
			HoldTime: modelHold, MaxHoldTime: modelMax, MaxSeatsPerUser: modelLimit, Timeout: time.Minute,
		})
		require.NoError(rt, err)
		ctx := context.Background()
		start, err := r.Admin(t).Time(ctx).Result()
		require.NoError(rt, err)
		m := &model{now: start.Truncate(time.Millisecond), seats: map[string]modelSeat{}, blocked: map[string]string{}, changes: map[string][]seatlock.ChangeType{}}
		r.Mini.SetTime(m.now)

		for range rapid.IntRange(5, 40).Draw(rt, "calls") {
			user := rapid.SampledFrom([]string{ann, bob, "eve"}).Draw(rt, "user")
			group := rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, 3, rapid.ID[string]).Draw(rt, "seats")
			channel := rapid.SampledFrom([]string{"house", "house", "sponsor"}).Draw(rt, "channel")
			order := rapid.SampledFrom([]string{"", "o1", "o1"}).Draw(rt, "order")
			var got, want error
			var hold seatlock.Hold
			var deadline time.Time
			switch call := rapid.SampledFrom([]string{"reserve", "reserve", "reserve from channel", "block", "unblock", "buy", "buy", "return", "exchange", "exchange", "extend", "release", "put", "wait", "map"}).Draw(rt, "call"); call {
			case "reserve":
				hold, got = locker.Reserve(ctx, event, group, user)
				deadline, want = m.reserve(user, group, "")
			case "reserve from channel":
				hold, got = locker.ReserveOn(ctx, event, group, user, seatlock.Terms{Channel: channel})
				deadline, want = m.reserve(user, group, channel)
			case "block":
				got, want = locker.Block(ctx, event, group, channel, seatlock.Terms{}), m.block(group, channel, true)
			case "unblock":
				got, want = locker.Unblock(ctx, event, group, channel, seatlock.Terms{}), m.block(group, channel, false)
			case "buy":
				got, want = locker.BuyOn(ctx, event, group, user, seatlock.Terms{Order: order}), m.buy(user, group, order)
			case "return":
				got, want = locker.Return(ctx, event, group, user, seatlock.Terms{Order: order}), m.giveBack(user, group, order)
			case "exchange":
				var to []string
				for _, id := range ids {
					if !slices.Contains(group, id) && len(to) < len(group) {
						to = append(to, id)
					}
				}
				group = group[:len(to)]
				got, want = locker.Exchange(ctx, event, group, to, user, seatlock.Terms{Order: order}), m.exchange(user, group, to, order)
			case "extend":
				hold, got = locker.Extend(ctx, event, group, user)
				deadline, want = m.extend(user, group)
			case "release":
				got, want = locker.Release(ctx, event, group, user), m.release(user, group)
			case "put":
				m.onSale = m.now.Add(time.Duration(rapid.SampledFrom([]int{-30, 0, 30}).Draw(rt, "on sale")) * time.Second)
				m.offSale = time.Time{}
				if rapid.Bool().Draw(rt, "ends") {
					m.offSale = m.onSale.Add(time.Minute)
				}
				_, _, got = locker.PutEvent(ctx, event, seatlock.Put{Settings: seatlock.Settings{OnSale: m.onSale, OffSale: m.offSale}})
			case "wait":
				d := time.Duration(rapid.IntRange(1, 120_000).Draw(rt, "ms")) * time.Millisecond
				m.advance(d)
				r.Mini.SetTime(m.now)
			case "map":
				requireMap(rt, locker, m)
			}
			require.ErrorIs(rt, got, want)
			require.True(rt, deadline.Equal(hold.Deadline), "got %v, want %v", hold.Deadline, deadline)
		}
		requireMap(rt, locker, m)
		requireChanges(rt, locker, m)
	})
}

func requireMap(rt *rapid.T, locker *seatlock.Locker, m *model) {
	found, err := locker.Map(context.Background(), event)
	require.NoError(rt, err)
	want := []string{}
	for id, s := range m.seats {
		if s.sold {
			want = append(want, id+" Sold")
		} else {
			want = append(want, fmt.Sprint(id, " Reserved ", s.deadline.Sub(m.now)))
		}
	}
	for id := range m.blocked {
		if _, taken := m.seats[id]; !taken {
			want = append(want, id+" Blocked")
		}
	}
	got := []string{}
	for _, s := range found.Seats {
		line := s.ID + " " + s.Status.String()
		if s.Status == seatlock.Reserved {
			line += fmt.Sprint(" ", s.ExpiresIn)
		}
		got = append(got, line)
	}
	slices.Sort(want)
	require.Equal(rt, want, got)
}

// requireChanges replays the changes: each seat has those of the model, in the same order, and
// each has its own ID.
func requireChanges(rt *rapid.T, locker *seatlock.Locker, m *model) {
	found, err := locker.Changes(context.Background(), event, seatlock.NoChange, 10_000)
	require.NoError(rt, err)
	got, last := map[string][]seatlock.ChangeType{}, seatlock.NoChange
	for _, c := range found {
		require.NotEqual(rt, last, c.ID)
		last = c.ID
		require.Equal(rt, c.Type == seatlock.ChangeHeld || c.Type == seatlock.ChangeExtended, !c.Deadline.IsZero())
		for _, id := range c.SeatIDs {
			got[id] = append(got[id], c.Type)
		}
		for _, id := range c.ToSeatIDs {
			got[id] = append(got[id], c.Type)
		}
	}
	maps.DeleteFunc(m.changes, func(_ string, c []seatlock.ChangeType) bool { return len(c) == 0 })
	require.Equal(rt, m.changes, got)
}
