package relay

import (
	"fmt"
	"strings"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// typePrefix begins the types of the events; the type of the change follows.
const typePrefix = "booking.seats."

// resetType is the type of an entry that says that changes were lost.
const resetType = "reset"

// data is the data of an event.
type data struct {
	EventID string `json:"event_id"`
	api.JournalLine
}

// newReset returns the entry of a reset: the changes after one position and up to another were
// lost.
func newReset(from, to string, at time.Time) seatlock.Entry {
	return seatlock.Entry{ID: "reset:" + from + ":" + to, Time: at, Type: resetType, SeatIDs: []string{}}
}

// newEvent returns the CloudEvent of an entry. position is its ID, or, of a reset, that of the change
// after which the changes go on.
func newEvent(source, event string, entry seatlock.Entry, position string) (cloudevent.Event, error) {
	e := cloudevent.New()
	e.SetID(entry.ID)
	e.SetSource(strings.TrimSuffix(source, "/") + "/events/" + event)
	e.SetType(typePrefix + string(entry.Type))
	e.SetSubject(event)
	e.SetTime(entry.Time)
	e.SetExtension("partitionkey", event)
	if entry.Type == resetType {
		e.SetExtension("sequence", resetSequence(entry.ID))
	} else {
		e.SetExtension("sequence", sequence(position))
	}
	line := api.NewJournalLine(entry)
	line.ID = position
	if err := e.SetData(cloudevent.ApplicationJSON, data{event, line}); err != nil {
		return e, err
	}
	return e, e.Validate()
}

// sequence returns a position such that later ones are greater as text.
func sequence(position string) string {
	epoch, offset, _ := strings.Cut(position, "-")
	return fmt.Sprintf("%020s-%020s", epoch, offset)
}

// resetSequence returns the sequence of a reset: greater than those of its two positions, because Redis
// may have gone back, and less than that of any change after them.
func resetSequence(id string) string {
	_, positions, _ := strings.Cut(id, ":")
	from, to, _ := strings.Cut(positions, ":")
	return max(sequence(from), sequence(to)) + "-reset"
}

// isBefore reports whether a position is before another.
func isBefore(a, b string) bool { return sequence(a) < sequence(b) }

// requestID names the request of entries; no other request has the name. It has no dot: the signature
// separates by dots.
func requestID(event string, entries []seatlock.Entry) string {
	id := strings.ReplaceAll(event, ".", "~") + ":" + entries[0].ID
	if len(entries) > 1 {
		id += ":" + entries[len(entries)-1].ID
	}
	return id
}
