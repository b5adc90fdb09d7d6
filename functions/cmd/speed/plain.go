package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// plainEnv is the environment variable that makes a child the plain handler instead of the no-op. Its
// value is a plainCall.
const plainEnv = "SPEED_PLAIN"

// plainCall is what the plain handler needs: the URL of Redis, and the command of a reserve of plainSeat
// for plainUser.
type plainCall struct {
	RedisURL string   `json:"redis_url"`
	Command  []string `json:"command"`
}

const (
	plainSeat = "THE-SEAT"
	plainUser = "the_user"
)

// recordReserve makes a reserve at the service, and returns its command, which Redis has in its slow log.
func (s *servers) recordReserve(ctx context.Context) ([]string, error) {
	client := s.redis[0].Client
	if err := client.ConfigSet(ctx, "slowlog-log-slower-than", "0").Err(); err != nil {
		return nil, err
	}
	body := fmt.Sprintf(`{"event_id":"plain","seat_id":%q,"user_id":%q}`, plainSeat, plainUser)
	resp, err := http.Post("http://"+s.service.addr+"/reserve", "application/json", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	entries, err := client.SlowLogGet(ctx, -1).Result()
	if err != nil {
		return nil, err
	}
	if err := client.ConfigSet(ctx, "slowlog-log-slower-than", "-1").Err(); err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if strings.EqualFold(entry.Args[0], "evalsha") && slices.Contains(entry.Args, plainUser) {
			return withoutDeadline(entry.Args), nil
		}
	}
	return nil, errors.New("the slow log of Redis has no reserve")
}

// withoutDeadline returns args with a later deadline of the call, the only time among them: ms since the
// epoch.
func withoutDeadline(args []string) []string {
	for i, arg := range args {
		ms, err := strconv.ParseInt(arg, 10, 64)
		if err == nil && time.Until(time.UnixMilli(ms)).Abs() < time.Hour {
			args[i] = strconv.FormatInt(ms+365*24*time.Hour.Milliseconds(), 10)
		}
	}
	return args
}

// startPlain starts the plain handler.
func (s *servers) startPlain(ctx context.Context, program string) (*process, error) {
	command, err := s.recordReserve(ctx)
	if err != nil {
		return nil, err
	}
	env, err := json.Marshal(plainCall{s.redis[0].URL(), command})
	if err != nil {
		return nil, err
	}
	return start(ctx, "the plain handler", program, plainEnv+"="+string(env))
}

// plainHandler reserves a seat as a handler with plain go-redis does: each call is a round trip of its own,
// which runs the script of the service.
func plainHandler(env string) (http.Handler, error) {
	var plain plainCall
	if err := json.Unmarshal([]byte(env), &plain); err != nil {
		return nil, err
	}
	opt, err := redis.ParseURL(plain.RedisURL)
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
		reply := redis.NewIntSliceCmd(r.Context(), plain.args(body)...)
		switch err := client.Process(r.Context(), reply); {
		case err != nil:
			w.WriteHeader(http.StatusServiceUnavailable)
		case len(reply.Val()) < 4 || reply.Val()[3] != 1:
			w.WriteHeader(http.StatusConflict)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, reservedAnswer)
		}
	})
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	return mux, nil
}

// args returns the command for another seat and user.
func (p *plainCall) args(body call) []any {
	args := make([]any, len(p.Command))
	for i, arg := range p.Command {
		switch {
		case arg == plainUser:
			args[i] = body.UserID
		case strings.HasSuffix(arg, ":"+plainSeat):
			args[i] = strings.TrimSuffix(arg, plainSeat) + body.SeatID
		default:
			args[i] = arg
		}
	}
	return args
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
