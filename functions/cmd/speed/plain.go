package main

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/redis/go-redis/v9"
)

// plainEnv is the environment variable that makes a child the plain handler instead of the no-op. Its
// value is the URL of Redis.
const plainEnv = "SPEED_PLAIN_REDIS"

// plainScript holds a seat with the same kinds of writes as a reserve: the seat's key, the index and a
// change. It knows no limits, settings, sales, repeats or expired holds.
var plainScript = redis.NewScript(`
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 10000, '*', 'type', 'held', 'seats', ARGV[3], 'users', ARGV[1])
return 1`)

// plainHandler reserves a seat as a handler with plain go-redis does: each call is a round trip of its own.
func plainHandler(redisURL string) (http.Handler, error) {
	opt, err := redis.ParseURL(redisURL)
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(opt)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reserve", func(w http.ResponseWriter, r *http.Request) {
		body, ok := decodeCall(w, r)
		if !ok {
			return
		}
		keys := []string{"plain:{default}:" + body.SeatID, "plains:{default}", "changes:plain:{default}"}
		held, err := plainScript.Run(r.Context(), client, keys, body.UserID, 86_400_000, body.SeatID).Bool()
		switch {
		case err != nil:
			w.WriteHeader(http.StatusServiceUnavailable)
		case !held:
			w.WriteHeader(http.StatusConflict)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, reservedAnswer)
		}
	})
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	return mux, nil
}

// call is the body of a call.
type call struct {
	SeatID string `json:"seat_id"`
	UserID string `json:"user_id"`
}

// reservedAnswer is what a reserve answers, more or less.
const reservedAnswer = `{"status":"reserved","seat_ids":["S1"]}`

// decodeCall decodes the body of r. Without one it answers, and returns false.
func decodeCall(w http.ResponseWriter, r *http.Request) (body call, ok bool) {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10)).Decode(&body); err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return body, false
	}
	return body, true
}
