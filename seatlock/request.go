package seatlock

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Request is the Idempotency-Key of a call. Redis remembers the answer to a call that succeeded for
// Options.RequestTTL, with the event, the user and the key. A later call with the same arguments
// then gets that answer, and changes nothing. If its arguments differ, it fails with
// ErrRequestReused. A refusal is not remembered.
type Request struct {
	Key string // a ValidRequestKey

	// Query says what the call asks for, in place of its seats; empty: its seats do. Two calls with
	// the same Key must have the same.
	Query string

	// Replayed is set by the call: it got the answer of an earlier one. That may be an earlier
	// attempt of the call itself, whose reply was lost.
	Replayed bool
}

// ValidRequestKey reports whether s can be the key of a Request: 1 to 64 printable ASCII characters.
func ValidRequestKey(s string) bool {
	return len(s) > 0 && len(s) <= 64 && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// callerArg returns the caller that a script takes, see lua/event.lua. name is that of the call.
func (l *Locker) callerArg(name string, seats []string, user string, terms Terms) string {
	if terms.Request == nil {
		return user
	}
	return user + " " + terms.Request.fingerprint(name, seats, terms) + " " + strconv.FormatInt(l.opt.RequestTTL.Milliseconds(), 10) + " " + terms.Request.Key
}

// fingerprint returns a digest of what the call asks for: 16 hexadecimal digits.
func (r *Request) fingerprint(name string, seats []string, terms Terms) string {
	asked := strings.Join(seats, " ")
	if r.Query != "" {
		asked = "?" + r.Query
	}
	sum := sha256.New()
	for _, part := range []string{name, asked, terms.Order, terms.Channel} {
		_, _ = fmt.Fprintln(sum, part)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// answer returns the reply that an earlier call got, if reply repeats it: a reply after replyReplayed
// is now, and then the first one without replyDone. Otherwise it returns reply.
func (r *Request) answer(reply []int64) []int64 {
	if r == nil || len(reply) < 2 || reply[0] != replyReplayed {
		return reply
	}
	r.Replayed = true
	return append([]int64{replyDone}, reply[2:]...)
}
