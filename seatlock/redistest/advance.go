package redistest

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// holdTimes matches the deadlines in the value of a held seat's key: ms since the epoch.
var holdTimes = regexp.MustCompile(`\b\d{13}\b`)

// Advance makes every hold d older. It moves the clock of a miniredis. The clock of a real
// server can't be moved, so there it brings each hold's deadlines and TTL forward by d.
func (r *Redis) Advance(t testing.TB, d time.Duration) {
	t.Helper()
	if r.Mini != nil {
		now, err := r.Admin(t).Time(t.Context()).Result()
		require.NoError(t, err)
		r.Mini.SetTime(now.Add(d))
		return
	}
	client := r.Admin(t)
	for keys := client.Scan(t.Context(), 0, "", 0).Iterator(); keys.Next(t.Context()); {
		expires, err := client.PExpireTime(t.Context(), keys.Val()).Result()
		require.NoError(t, err)
		if expires <= 0 {
			continue
		}
		at := time.UnixMilli(expires.Milliseconds()).Add(-d)
		kind, err := client.Type(t.Context(), keys.Val()).Result()
		require.NoError(t, err)
		if kind != "string" {
			require.NoError(t, client.PExpireAt(t.Context(), keys.Val(), at).Err())
			continue
		}
		value, err := client.Get(t.Context(), keys.Val()).Result()
		require.NoError(t, err)
		if strings.HasPrefix(value, "held:") {
			value = holdTimes.ReplaceAllStringFunc(value, func(ms string) string {
				at, _ := strconv.ParseInt(ms, 10, 64) // 13 digits fit
				return strconv.FormatInt(at-d.Milliseconds(), 10)
			})
		}
		require.NoError(t, client.SetArgs(t.Context(), keys.Val(), value, redis.SetArgs{ExpireAt: at}).Err())
	}
}
