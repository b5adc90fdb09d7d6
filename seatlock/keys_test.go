package seatlock

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValidID_AcceptsSafeASCII(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"1A", "a", "..", "row-1:seat_2.b", strings.Repeat("x", 64)} {
		require.True(t, ValidID(id), "%q", id)
	}
	for _, id := range []string{"", strings.Repeat("x", 65), "1 A", "1/A", "{", "}", "1А", "é", "a\n", "\x00", "*"} {
		require.False(t, ValidID(id), "%q", id)
	}
}

func TestValidUser_AcceptsPrintableASCII(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"user_123", "ann@example.com", "auth0|5f7c", "{x}", "~", "!", strings.Repeat("x", 128)} {
		require.True(t, ValidUser(id), "%q", id)
	}
	for _, id := range []string{"", strings.Repeat("x", 129), "a b", "\t", "\x7f", "Ä", "\x80"} {
		require.False(t, ValidUser(id), "%q", id)
	}
}

// No two seats share a key. Every key of an event is in the same slot: the hash tag, between the
// first { and the next }, is the event.
func FuzzSeatKey(f *testing.F) {
	f.Add("gala", "1A", "gala", "1B")
	f.Add("a:b", "c", "a", "b:c")
	f.Add("a}", "{b", "a", "}{b")
	f.Fuzz(func(t *testing.T, event1, seat1, event2, seat2 string) {
		for _, id := range []string{event1, seat1, event2, seat2} {
			if !ValidID(id) {
				return // never becomes a key
			}
		}
		key1, key2 := seatKey(event1, seat1), seatKey(event2, seat2)
		require.Equal(t, event1 == event2 && seat1 == seat2, key1 == key2)
		_, rest, _ := strings.Cut(key1, "{")
		tag, _, _ := strings.Cut(rest, "}")
		require.Equal(t, event1, tag)
	})
}
