package seatlock

import (
	"fmt"
	"slices"
	"strings"
)

// MaxSeats is how many seats a call may name.
const MaxSeats = 100

// DefaultEvent is the event of an HTTP call that names none.
const DefaultEvent = "default"

// ValidID reports whether s can name an event, a seat, an order or a channel: 1 to 64 of the
// characters A-Z a-z 0-9 . _ : -. Only ASCII, because two seats must not look the same. No braces,
// because an id must not move a key to another slot.
func ValidID(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}

// ValidUser reports whether s can name a user: 1 to 128 printable ASCII characters, without
// spaces.
func ValidUser(s string) bool {
	if len(s) == 0 || len(s) > 128 {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// seatKey is the key of a seat: seat:{event}:seat.
func seatKey(event, seat string) string {
	return "seat:{" + event + "}:" + seat
}

// seatsKey is the key of an event's index: seats:{event}.
func seatsKey(event string) string { return "seats:{" + event + "}" }

// changesKey is the key of an event's stream: changes:{event}.
func changesKey(event string) string { return "changes:{" + event + "}" }

// eventOfChanges is the event of a changesKey.
func eventOfChanges(key string) string {
	return strings.TrimSuffix(strings.TrimPrefix(key, "changes:{"), "}")
}

// eventKey is the key of an event's settings: event:{event}.
func eventKey(event string) string { return "event:{" + event + "}" }

// planKey is the key of an event's plan: plan:{event}.
func planKey(event string) string { return "plan:{" + event + "}" }

// relayKey is the key of an event's Relay: relay:{event}.
func relayKey(event string) string { return "relay:{" + event + "}" }

// blockedKey is the key of an event's blocked seats: blocked:{event}.
func blockedKey(event string) string { return "blocked:{" + event + "}" }

// requestKey is the key of the answer to a call with a Request: request:{event}:<user> <key>.
func requestKey(event, user, key string) string { return "request:{" + event + "}:" + user + " " + key }

// eventsKey is the key of the events that have settings.
const eventsKey = "events"

// userKey is the key of a user's seats at an event: user:{event}:user.
func userKey(event, user string) string {
	return "user:{" + event + "}:" + user
}

// eventKeys returns the keys of a script that takes an event and no seats.
func eventKeys(event string) []string { return []string{seatsKey(event), changesKey(event)} }

// transitionKeys returns the keys of a script that takes seats of one user, in the order of
// lua/buy.lua.
func transitionKeys(event string, seats []string, user string) []string {
	return append([]string{seatsKey(event), changesKey(event), userKey(event, user)}, seatKeys(event, seats)...)
}

func seatKeys(event string, seats []string) []string {
	keys := make([]string, len(seats))
	for i, seat := range seats {
		keys[i] = seatKey(event, seat)
	}
	return keys
}

// validate returns ErrInvalid with the first argument that is not valid, or nil.
func validate(event string, seats []string, user string) error {
	if !ValidID(event) {
		return fmt.Errorf("%w: event %q", ErrInvalid, event)
	}
	if !ValidUser(user) {
		return fmt.Errorf("%w: user %q", ErrInvalid, user)
	}
	if len(seats) == 0 || len(seats) > MaxSeats {
		return fmt.Errorf("%w: %d seats: name 1 to %d", ErrInvalid, len(seats), MaxSeats)
	}
	for i, seat := range seats {
		if !ValidID(seat) {
			return fmt.Errorf("%w: seat %q", ErrInvalid, seat)
		}
		if slices.Contains(seats[:i], seat) {
			return fmt.Errorf("%w: seat %q twice", ErrInvalid, seat)
		}
	}
	return nil
}
