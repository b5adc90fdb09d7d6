package changes_test

import (
	"context"
	"fmt"
	"math"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest"
)

// fill sells the seats 1 to n, as the scripts do.
func fill(t *testing.T, r *redistest.Redis, n int) {
	t.Helper()
	require.NoError(t, r.Admin(t).Eval(t.Context(), `
		for i = 1, tonumber(ARGV[1]) do
			redis.call('XADD', KEYS[1], 'MAXLEN', '~', 10000, '*', 'type', 'sold', 'seats', i, 'deadline', '')
			redis.call('ZADD', KEYS[2], '+inf', i)
			redis.call('SET', 'seat:{gala}:' .. i, 'sold:ann')
		end
		redis.pcall('PUBLISH', KEYS[1], '') -- the test's user may not
		return 1`, []string{"changes:{gala}", "seats:{gala}"}, n).Err())
}

// requireReset asserts that the next event is a reset, and returns its id.
func (s *stream) requireReset(t *testing.T) string {
	t.Helper()
	id, received := s.next()
	require.Equal(t, "event: reset data: {}", received)
	return id
}

// requireNext asserts that the next event is a change of the seat.
func (s *stream) requireNext(t *testing.T, seat string) string {
	t.Helper()
	id, received := s.next()
	require.Contains(t, received, `["`+seat+`"]`)
	return id
}

func TestChanges_ResetsAfterTrim(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		proxy := redistest.NewProxy(t, r)
		b := setupClient(t, r.Client(t, proxy.Addr), 0)
		seller := setup(t, r)
		streams := []*stream{b.open(t, ""), b.open(t, "")}
		seller.reserve(t, "1A")
		for _, s := range streams {
			s.requireNext(t, "1A")
		}
		proxy.LoseReplies(true)
		require.Eventually(t, func() bool { return proxy.Lost.Load() > 0 }, redistest.WaitLimit, time.Millisecond)
		fill(t, r, 12_000)
		proxy.LoseReplies(false)
		for _, s := range streams {
			s.requireReset(t)
		}
		seller.reserve(t, "1B")
		for _, s := range streams {
			s.requireNext(t, "1B")
		}
	})
}

// Nothing is missed if the outage was too short for a trim.
func TestChanges_ContinuesAfterOutage(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		proxy := redistest.NewProxy(t, r)
		b := setupClient(t, r.Client(t, proxy.Addr), 0)
		s := b.open(t, "")
		setup(t, r).reserve(t, "1A")
		s.requireNext(t, "1A")
		proxy.LoseReplies(true)
		require.Eventually(t, func() bool { return proxy.Lost.Load() > 0 }, redistest.WaitLimit, time.Millisecond)
		fill(t, r, 1_200)
		proxy.LoseReplies(false)
		for i := range 1_200 {
			s.requireNext(t, fmt.Sprint(i+1))
		}
	})
}

func TestChanges_ResetsWhenRedisIsEmptied(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		live := b.open(t, "")
		b.reserve(t, "1A")
		old := live.requireNext(t, "1A")
		r.Advance(t, time.Millisecond)
		at, _, _ := strings.Cut(old, "-")
		require.Eventually(t, func() bool { // otherwise Redis may assign the same id again
			return fmt.Sprint(r.Admin(t).Time(t.Context()).Val().UnixMilli()) > at
		}, redistest.WaitLimit, time.Millisecond)
		pipe := r.Admin(t).TxPipeline()
		pipe.FlushAll(t.Context())
		pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: "changes:{gala}", Values: []string{"type", "sold", "seats", "1B", "deadline", ""}})
		_, err := pipe.Exec(t.Context())
		require.NoError(t, err)
		resumed := b.open(t, old)
		for _, s := range []*stream{live, resumed} {
			require.NotEqual(t, old, s.requireReset(t))
		}
		b.reserve(t, "1C")
		for _, s := range []*stream{live, resumed} {
			s.requireNext(t, "1C")
		}
	})
}

// An event's stream may be removed without a successor. That is one reset.
func TestChanges_ResetsOnceWhenEventIsRemoved(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		s := b.open(t, "")
		b.reserve(t, "1A")
		s.requireNext(t, "1A")
		require.NoError(t, r.Admin(t).FlushAll(t.Context()).Err())
		require.Equal(t, "0-0", s.requireReset(t))
		b.reserve(t, "1B")
		s.requireNext(t, "1B")
	})
}

// A replica becomes the primary. It lacks the newest change, and its clock is behind.
func TestChanges_ResetsWhenIDsBecomeSmaller(t *testing.T) {
	t.Parallel()
	primary := redistest.Server(t)
	replica := redistest.Server(t, "--replicaof", strings.Replace(primary.Addr, ":", " ", 1), "--masteruser", "admin", "--masterauth", "any")
	options := *primary.Client(t).Options()
	var addr atomic.Pointer[string]
	addr.Store(&primary.Addr)
	options.Dialer = func(context.Context, string, string) (net.Conn, error) { return net.Dial("tcp", *addr.Load()) }
	client := redis.NewClient(&options)
	t.Cleanup(func() { _ = client.Close() })

	b := setupClient(t, client, 0)
	s := b.open(t, "")
	b.reserve(t, "1A")
	epoch, _, _ := strings.Cut(s.requireNext(t, "1A"), "-")
	require.Eventually(t, func() bool { return replica.Admin(t).XLen(t.Context(), "changes:{gala}").Val() == 1 }, redistest.WaitLimit, time.Millisecond)
	require.NoError(t, replica.Admin(t).ReplicaOf(t.Context(), "NO", "ONE").Err())
	ahead := fmt.Sprintf("%s-%d", epoch, time.Now().Add(10*time.Minute).UnixMicro())
	pipe := primary.Admin(t).TxPipeline()
	pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: "changes:{gala}", ID: ahead, Values: []string{"type", "sold", "seats", "1B", "deadline", ""}})
	pipe.ZAdd(t.Context(), "seats:{gala}", redis.Z{Score: math.Inf(1), Member: "1B"})
	pipe.Set(t.Context(), "seat:{gala}:1B", "sold:ann", 0)
	_, err := pipe.Exec(t.Context())
	require.NoError(t, err)
	require.Equal(t, ahead, s.requireNext(t, "1B"))

	addr.Store(&replica.Addr)
	primary.Kill(t)
	b.reserve(t, "1C")
	resumed := b.open(t, ahead)
	for _, s := range []*stream{s, resumed} {
		require.Less(t, s.requireReset(t), ahead)
	}
	b.reserve(t, "1D")
	for _, s := range []*stream{s, resumed} {
		_, received := s.next()
		if strings.Contains(received, `["1C"]`) { // the reset may have been before 1C
			_, received = s.next()
		}
		require.Contains(t, received, `["1D"]`)
	}
}
