package api

import (
	"slices"
	"strings"
)

// Names are the members of a body, or the parameters of a query, that a call knows.
type Names []string

// seatsMembers are the members of Seats' body. Some of its calls ignore order_id, channel and
// to_seat_ids.
var seatsMembers = Names{"event_id", "seat_id", "seat_ids", "user_id", "channel", "order_id", "to_seat_ids"}

// CheckMember returns a *Problem if other, a member that a body has, is a known one in
// another spelling. Then the client means a member that the call would ignore: it would
// book in the wrong event, for example.
func (known Names) CheckMember(other string) error {
	if meant := known.meant(other); meant != "" {
		return Invalid("%.64q is not a member of the request; write %s.", other, meant)
	}
	return nil
}

// CheckParameter is CheckMember for a parameter of the query.
func (known Names) CheckParameter(other string) error {
	if meant := known.meant(other); meant != "" {
		return Invalid("%.64q is not a parameter of the query; write %s.", other, meant)
	}
	return nil
}

// meant returns the known name that other misspells: in another case, with other
// underscores or hyphens, or in its short form. It returns "" if other is itself a known
// name, or none in any spelling.
func (known Names) meant(other string) string {
	if slices.Contains(known, other) {
		return ""
	}
	letters := lettersOf(other)
	for _, name := range known {
		if strings.EqualFold(letters, lettersOf(name)) || strings.EqualFold(letters, lettersOf(shortForm(name))) {
			return name
		}
	}
	return ""
}

// lettersOf returns name without its underscores and hyphens.
func lettersOf(name string) string { return separators.Replace(name) }

var separators = strings.NewReplacer("_", "", "-", "")

// shortForm returns what people write for the name of an id: event for event_id, seats for
// seat_ids. Other names have none.
func shortForm(name string) string {
	if one, ok := strings.CutSuffix(name, "_ids"); ok {
		return one + "s"
	}
	return strings.TrimSuffix(name, "_id")
}
