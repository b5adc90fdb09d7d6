package api

import (
	"bytes"
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"booking/seatlock"
)

// MaxBody is how long a request's body may be, bytes.
const MaxBody = 16 << 10

// MaxSeats is how many seats a request may name at most.
const MaxSeats = 10

// Rules are what a request must keep to, beyond the form of its ids.
type Rules struct {
	MaxSeats int                  // that it may name
	HasSeat  func(id string) bool // whether the hall has a seat; nil where it has every one
}

// Check returns the problem of seats that the hall does not have, or nil.
func (rules Rules) Check(ids ...string) error {
	if rules.HasSeat == nil {
		return nil
	}
	for _, id := range ids {
		if !rules.HasSeat(id) {
			return NewProblem(CodeUnknownSeat, "There is no seat "+id+" in this hall.")
		}
	}
	return nil
}

// IDForm says, after the name of an event_id or a seat_id, what it must be.
const IDForm = "must be 1 to 64 characters of A-Z a-z 0-9 . _ : -"

// UserForm says, after the name of a user_id, what it must be.
const UserForm = "must be 1 to 128 printable ASCII characters without spaces"

const example = `send an object like {"seat_id":"1A","user_id":"user_123"}`

// Seats is the request of every call that changes seats.
type Seats struct {
	EventID string
	SeatIDs []string // 1 to MaxSeats, none twice
	UserID  string
}

// seatsBody is Seats as it is sent. The pointers tell what is missing, or null,
// from what is empty.
type seatsBody struct {
	EventID *string                   `json:"event_id"`
	SeatID  *string                   `json:"seat_id"`
	SeatIDs []string                  `json:"seat_ids"`
	UserID  *string                   `json:"user_id"`
	Others  map[string]jsontext.Value `json:",embed"`
}

var members = []string{"event_id", "seat_id", "seat_ids", "user_id"}

// check returns the problem of a member that another reader of the same body could
// take for one of ours, or nil. Whatever else there is means nothing here.
func (b *seatsBody) check() error {
	for other := range b.Others {
		for _, member := range members {
			if strings.EqualFold(other, member) {
				return Invalid("%q is not a member of the request; write %s.", other, member)
			}
		}
	}
	return nil
}

type userKey struct{}

// WithUser returns a context for a request of which it is proved that user sends it.
func WithUser(ctx context.Context, user string) context.Context {
	return context.WithValue(ctx, userKey{}, user)
}

// DecodeSeats reads the body of r and checks it against the rules. Where it is proved
// who sends it (WithUser), the body may leave that user out, and can name no other.
// Its error is a *Problem.
func DecodeSeats(w http.ResponseWriter, r *http.Request, rules Rules) (Seats, error) {
	if len(r.Header["Content-Type"]) > 1 {
		return Seats{}, NewProblem(CodeUnsupportedMediaType, "There is more than one Content-Type; send application/json alone.")
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return Seats{}, NewProblem(CodeUnsupportedMediaType, "The body must be JSON: set Content-Type to application/json.")
	}
	body := buffers.Get().(*bytes.Buffer)
	defer release(body)
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, MaxBody)); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return Seats{}, NewProblem(CodeTooLarge, "The body is longer than 16 KiB; "+example+".")
		}
		return Seats{}, Invalid("The body did not arrive whole; send it again.")
	}
	proved, _ := r.Context().Value(userKey{}).(string)
	seats, err := parseSeats(body.Bytes(), rules, proved)
	if c := recorded(r.Context()); c != nil {
		c.Seats = seats
	}
	return seats, err
}

// parseSeats makes a request of a body. The proved user is empty where nobody asks
// who sends it.
func parseSeats(body []byte, rules Rules, proved string) (Seats, error) {
	var sent seatsBody
	if err := json.Unmarshal(body, &sent); err != nil {
		return Seats{}, notJSON(body, err)
	}
	if err := sent.check(); err != nil {
		return Seats{}, err
	}
	seats := Seats{EventID: seatlock.DefaultEvent, SeatIDs: sent.SeatIDs}
	if sent.EventID != nil {
		seats.EventID = *sent.EventID
	}
	if !seatlock.ValidID(seats.EventID) {
		return Seats{}, Invalid("event_id %s; leave it out for the event %q.", IDForm, seatlock.DefaultEvent)
	}
	switch {
	case sent.SeatID != nil && sent.SeatIDs != nil:
		return Seats{}, Invalid("Send seat_id or seat_ids, not both.")
	case sent.SeatID != nil:
		if !seatlock.ValidID(*sent.SeatID) {
			return Seats{}, Invalid("seat_id %s.", IDForm)
		}
		seats.SeatIDs = []string{*sent.SeatID}
	case sent.SeatIDs == nil:
		return Seats{}, Invalid("seat_id is missing; %s.", example)
	case len(sent.SeatIDs) == 0 || len(sent.SeatIDs) > rules.MaxSeats:
		return Seats{}, Invalid("seat_ids must name 1 to %d seats, not %d.", rules.MaxSeats, len(sent.SeatIDs))
	}
	for i, id := range seats.SeatIDs {
		if !seatlock.ValidID(id) {
			return Seats{}, Invalid("seat_ids[%d] %s.", i, IDForm)
		}
		if slices.Contains(seats.SeatIDs[:i], id) {
			return Seats{}, Invalid("seat_ids[%d] names %s a second time; name each seat once.", i, id)
		}
	}
	switch {
	case sent.UserID == nil && proved == "":
		return Seats{}, Invalid("user_id is missing; %s.", example)
	case sent.UserID == nil:
		seats.UserID = proved
	case !seatlock.ValidUser(*sent.UserID):
		return Seats{}, Invalid("user_id %s.", UserForm)
	case proved != "" && *sent.UserID != proved:
		return Seats{}, NewProblem(CodeForbidden, "user_id is not the subject of your token; leave it out, or send a token of that user.")
	default:
		seats.UserID = *sent.UserID
	}
	return seats, rules.Check(seats.SeatIDs...)
}

// notJSON says what is wrong with a body that json.Unmarshal refused.
func notJSON(body []byte, err error) *Problem {
	var wrongType *json.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case len(body) == 0:
		return Invalid("The body is empty; %s.", example)
	case errors.As(err, &wrongType) && strings.HasPrefix(string(wrongType.JSONPointer), "/seat_ids"):
		return Invalid("seat_ids must be an array of strings.")
	case errors.As(err, &wrongType) && wrongType.JSONPointer != "":
		return Invalid("%s must be a string.", wrongType.JSONPointer.LastToken())
	case errors.As(err, &wrongType):
		return Invalid("The body must be one JSON object; %s.", example)
	case errors.As(err, &syntax) && syntax.Err == jsontext.ErrDuplicateName:
		return Invalid("%.64q is there twice; send each member once.", syntax.JSONPointer.LastToken())
	case errors.As(err, &syntax):
		return Invalid("The body is not one JSON value (byte %d); %s.", syntax.ByteOffset, example)
	}
	return Invalid("The body is not JSON; %s.", example)
}
