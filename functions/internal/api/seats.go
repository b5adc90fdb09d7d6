package api

import (
	"bytes"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"booking/seatlock"
)

// MaxBody is the limit of a request's body, bytes.
const MaxBody = 16 << 10

// MaxSeats is the highest limit of seats in a request.
const MaxSeats = 10

// Rules limit what a request may ask for, beyond the form of its ids.
type Rules struct {
	MaxSeats int // that one request may name
}

// IDForm describes an event_id or a seat_id. It follows the member's name.
const IDForm = "must be 1 to 64 characters of A-Z a-z 0-9 . _ : -"

// UserForm describes a user_id. It follows the member's name.
const UserForm = "must be 1 to 128 printable ASCII characters without spaces"

const example = `send an object like {"seat_id":"1A","user_id":"user_123"}`

// Seats is the request of each call that changes seats.
type Seats struct {
	EventID string
	SeatIDs []string // 1 to MaxSeats, without duplicates
	UserID  string
	Channel string // that the seats are kept for; only for a reserve, and empty for the public
	OrderID string // of a sale; only for a buy, a return and an exchange, and it may be empty

	ToSeatIDs []string          // only for an exchange: 1 to MaxSeats, without duplicates; otherwise nil
	Request   *seatlock.Request // of the Idempotency-Key; nil without one
}

// seatsBody is the body of such a request. A pointer is nil if the member is missing or
// null, and not nil if it is empty.
type seatsBody struct {
	EventID *string                   `json:"event_id"`
	SeatID  *string                   `json:"seat_id"`
	SeatIDs []string                  `json:"seat_ids"`
	UserID  *string                   `json:"user_id"`
	Channel *string                   `json:"channel"`
	OrderID *string                   `json:"order_id"`
	ToSeats []string                  `json:"to_seat_ids"`
	Others  map[string]jsontext.Value `json:",embed"`
}

// check returns a *Problem if a member is one of ours in another spelling. A proxy that
// reads the same body could accept it, too. It ignores other members.
func (b *seatsBody) check() error {
	for other := range b.Others {
		if err := seatsMembers.CheckMember(other); err != nil {
			return err
		}
	}
	return nil
}

// DecodeSeats reads the body of r and checks it against the rules. If the caller acts for
// one user only (CallerOf), the body may omit user_id, and must not name another user.
// The error is a *Problem.
func DecodeSeats(w http.ResponseWriter, r *http.Request, rules Rules) (Seats, error) {
	body := buffers.Get().(*bytes.Buffer)
	defer release(body)
	if err := readInto(body, w, r, MaxBody, example); err != nil {
		return Seats{}, err
	}
	seats, err := parseSeats(body.Bytes(), rules, CallerOf(r.Context()).User)
	if err == nil {
		seats.Request, err = requestOf(r)
	}
	RecordSeats(r, seats)
	return seats, err
}

// parseSeats parses a body. user is the only user that the caller may name; it is empty if
// the caller may name any.
func parseSeats(body []byte, rules Rules, user string) (Seats, error) {
	var b seatsBody
	if err := json.Unmarshal(body, &b); err != nil {
		return Seats{}, notJSON(body, err, example)
	}
	if err := b.check(); err != nil {
		return Seats{}, err
	}
	var seats Seats
	var err error
	if seats.EventID, err = EventOf(b.EventID); err != nil {
		return Seats{}, err
	}
	if seats.SeatIDs, err = seatsOf(b.SeatID, b.SeatIDs, rules.MaxSeats, example); err != nil {
		return Seats{}, err
	}
	if b.ToSeats != nil {
		if seats.ToSeatIDs, err = seatIDs("to_seat_ids", b.ToSeats, rules.MaxSeats); err != nil {
			return Seats{}, err
		}
	}
	if b.Channel != nil {
		if !seatlock.ValidID(*b.Channel) {
			return Seats{}, Invalid("channel %s.", IDForm)
		}
		seats.Channel = *b.Channel
	}
	if b.OrderID != nil {
		if !seatlock.ValidID(*b.OrderID) {
			return Seats{}, Invalid("order_id %s.", IDForm)
		}
		seats.OrderID = *b.OrderID
	}
	if seats.UserID, err = userOf(b.UserID, user, example); err != nil {
		return Seats{}, err
	}
	return seats, nil
}

// notJSON returns the problem of a body that json.Unmarshal refused with err; example says
// what to send.
func notJSON(body []byte, err error, example string) *Problem {
	var wrongType *json.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case len(body) == 0:
		return Invalid("The body is empty; %s.", example)
	case errors.As(err, &wrongType) && isList(wrongType.JSONPointer):
		return Invalid("%s must be an array of strings.", firstToken(wrongType.JSONPointer))
	case errors.As(err, &wrongType) && wrongType.JSONPointer != "":
		return Invalid("%s must be a string.", wrongType.JSONPointer.LastToken())
	case errors.As(err, &wrongType):
		return Invalid("The body must be one JSON object; %s.", example)
	case errors.As(err, &syntax) && errors.Is(syntax.Err, jsontext.ErrDuplicateName):
		return Invalid("%.64q is there twice; send each member once.", syntax.JSONPointer.LastToken())
	case errors.As(err, &syntax):
		return Invalid("The body is not one JSON value (byte %d); %s.", syntax.ByteOffset, example)
	}
	return Invalid("The body is not JSON; %s.", example)
}

// isList reports whether a JSON pointer is in one of the lists of seats.
func isList(p jsontext.Pointer) bool {
	first := firstToken(p)
	return first == "seat_ids" || first == "to_seat_ids"
}

// firstToken returns the member of the body that a JSON pointer is in.
func firstToken(p jsontext.Pointer) string {
	for token := range p.Tokens() {
		return token
	}
	return ""
}
