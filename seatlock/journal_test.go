package seatlock_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// journal returns all entries after a position, read limit at a time, as "type user order [seats]".
func (b *testBundle) journal(t *testing.T, after string, limit int) (lines []string, ids []string) {
	t.Helper()
	for {
		entries, err := b.locker.Journal(t.Context(), event, after, limit)
		require.NoError(t, err)
		for _, e := range entries {
			line := fmt.Sprint(e.Type, " ", e.User, " ", e.Order, e.Channel, e.SeatIDs)
			if e.ToSeatIDs != nil {
				line += fmt.Sprint(e.ToSeatIDs)
			}
			lines, ids = append(lines, line), append(ids, e.ID)
			after = e.ID
		}
		if len(entries) < limit {
			return lines, ids
		}
	}
}

func TestJournal_NamesUsersAndOrders(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.block(t, "house", "2A")
		hold := b.reserve(t, ann, "1A", "1B")
		r.Advance(t, time.Minute)
		b.extend(t, ann, "1A")
		require.NoError(t, b.buyOrder(t, "o:1", ann, "1A"))
		require.NoError(t, b.exchange(t, "o:1", ann, []string{"1A"}, []string{"1C"}))
		require.NoError(t, b.giveBack(t, "o:1", ann, "1C"))
		require.NoError(t, b.reserveFrom(t, "house", bob, "2A"))
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"2A"}, bob))
		r.Advance(t, holdTime)
		require.NoError(t, b.redis.ZAdd(t.Context(), "seats:{gala}", redis.Z{Score: 1, Member: "1B"}).Err()) // Advance leaves it
		b.refresh(t)
		b.unblock(t, "house", "2A")

		want := []string{
			"blocked  house[2A]", "held " + ann + " [1A 1B]", "extended " + ann + " [1A]", "sold " + ann + " o:1[1A]", "exchanged " + ann + " o:1[1A][1C]",
			"returned " + ann + " o:1[1C]", "held " + bob + " house[2A]", "released " + bob + " [2A]", "blocked  house[2A]", "expired  [1B]", "unblocked  house[2A]",
		}
		for _, limit := range []int{1, 3, 1000} {
			lines, _ := b.journal(t, seatlock.NoChange, limit)
			require.Equal(t, want, lines, "%d at a time", limit)
		}
		entries, err := b.locker.Journal(t.Context(), event, seatlock.NoChange, 2)
		require.NoError(t, err)
		require.Equal(t, hold.Deadline, entries[1].Deadline)
		require.Equal(t, hold.Deadline.Add(-holdTime), entries[1].Time.Truncate(time.Millisecond), "the time of the script that made the hold")
	})
}

// The calls of a batch make one change. The journal has an entry for each of their users, and goes
// on after any of them.
func TestJournal_SplitsChangeOfBatch(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		const users = 300
		var calls sync.WaitGroup
		for i := range users {
			calls.Go(func() {
				user := fmt.Sprintf("u:%d", i)
				_, err := b.locker.Reserve(t.Context(), event, []string{fmt.Sprintf("%d.A", i), fmt.Sprintf("%d.B", i)}, user)
				if err == nil && i%10 == 0 {
					err = b.locker.Buy(t.Context(), event, []string{fmt.Sprintf("%d.A", i)}, user)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		changes, err := b.locker.Changes(t.Context(), event, seatlock.NoChange, 10_000)
		require.NoError(t, err)
		require.Less(t, len(changes), users, "batches are shared")

		lines, ids := b.journal(t, seatlock.NoChange, 7)
		require.Len(t, lines, users+users/10)
		require.Len(t, uniqueOf(ids), len(ids), "each entry has an ID of its own")
		for _, line := range lines {
			user := strings.Fields(line)[1]
			id := strings.TrimPrefix(user, "u:")
			if strings.HasPrefix(line, "held") {
				require.Equal(t, fmt.Sprintf("held %s [%s.A %s.B]", user, id, id), line)
			}
		}
		for i, id := range ids[:20] {
			rest, _ := b.journal(t, id, 1000)
			require.Equal(t, lines[i+1:], rest, "after entry %d", i)
		}
		for _, c := range changes {
			_, rest := b.journal(t, c.ID, 1000)
			require.NotContains(t, rest, c.ID, "an ID of a change is that of its last entry")
		}
	})
}

func uniqueOf(ids []string) map[string]bool {
	unique := map[string]bool{}
	for _, id := range ids {
		unique[id] = true
	}
	return unique
}

func TestJournal_ReadsChangesOfEarlierVersion(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		require.NoError(t, b.redis.Do(t.Context(), "xadd", "changes:{gala}", "1700000000000000-1700000000000005", "type", "sold", "seats", "1A 1B", "deadline", "").Err())
		lines, _ := b.journal(t, seatlock.NoChange, 10)
		require.Equal(t, []string{"sold  [1A 1B]"}, lines)
	})
}

func TestJournal_ResetsUnknownPosition(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		entries, err := b.locker.Journal(t.Context(), event, seatlock.NoChange, 10)
		require.NoError(t, err)
		require.Empty(t, entries)
		b.reserve(t, ann, "1A")
		b.reserve(t, ann, "1B")
		_, ids := b.journal(t, seatlock.NoChange, 10)
		require.NoError(t, b.redis.XTrimMaxLen(t.Context(), "changes:{gala}", 1).Err())
		for _, after := range []string{ids[0], "5-5", "9999999999999999-1", "nonsense", ""} {
			_, err := b.locker.Journal(t.Context(), event, after, 10)
			require.ErrorIs(t, err, seatlock.ErrReset, after)
		}
		entries, err = b.locker.Journal(t.Context(), event, ids[1], 10)
		require.NoError(t, err)
		require.Empty(t, entries)
		for _, c := range []struct {
			event string
			limit int
		}{{"no event", 1}, {event, 0}} {
			_, err := b.locker.Journal(t.Context(), c.event, seatlock.NoChange, c.limit)
			require.ErrorIs(t, err, seatlock.ErrInvalid)
		}
	})
}
