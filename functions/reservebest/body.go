package reservebest

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"booking/functions/internal/api"
	"booking/functions/internal/bestavailable"
	"booking/seatlock"
)

const example = `send an object like {"quantity":2,"user_id":"user_123"}`

// request is what a buyer asks for.
type request struct {
	event, user, channel string
	seats                bestavailable.Request
	keyed                *seatlock.Request
}

// body is the body of a request. A pointer is nil if the member is missing or null.
type body struct {
	Quantity *int                      `json:"quantity"`
	EventID  *string                   `json:"event_id"`
	UserID   *string                   `json:"user_id"`
	Category *string                   `json:"category"`
	Zone     *string                   `json:"zone"`
	AreaID   *string                   `json:"area_id"`
	Adjacent *bool                     `json:"adjacent"`
	Channel  *string                   `json:"channel"`
	Others   map[string]jsontext.Value `json:",embed"`
}

var members = api.Names{"quantity", "event_id", "user_id", "category", "zone", "area_id", "adjacent", "channel"}

// decode reads and checks a request. maxSeats is how many seats a call may name. The error is a
// *Problem.
func decode(w http.ResponseWriter, r *http.Request, maxSeats int) (request, error) {
	text, err := api.ReadBody(w, r, api.MaxBody)
	if err != nil {
		return request{}, err
	}
	var b body
	if err := json.Unmarshal(text, &b); err != nil {
		return request{}, notRequest(err, maxSeats)
	}
	for other := range b.Others {
		if err := members.CheckMember(other); err != nil {
			return request{}, err
		}
	}
	return b.check(r, maxSeats)
}

func (b *body) check(r *http.Request, maxSeats int) (q request, err error) {
	if q.event, err = api.EventOf(b.EventID); err != nil {
		return request{}, err
	}
	if q.user, err = api.UserOf(r, b.UserID, example); err != nil {
		return request{}, err
	}
	switch {
	case b.Quantity == nil:
		return request{}, api.Invalid("quantity is missing; %s.", example)
	case *b.Quantity < 1 || *b.Quantity > maxSeats:
		return request{}, api.Invalid("quantity must be a number from 1 to %d, not %d.", maxSeats, *b.Quantity)
	}
	for _, id := range []struct {
		name  string
		value *string
	}{{"area_id", b.AreaID}, {"channel", b.Channel}} {
		if id.value != nil && !seatlock.ValidID(*id.value) {
			return request{}, api.Invalid("%s %s.", id.name, api.IDForm)
		}
	}
	if b.AreaID != nil && b.Zone != nil {
		return request{}, api.Invalid("Send zone or area_id, not both.")
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	q.channel = text(b.Channel)
	q.seats = bestavailable.Request{Quantity: *b.Quantity, Category: text(b.Category), Zone: text(b.Zone), Area: text(b.AreaID), Apart: b.Adjacent != nil && !*b.Adjacent}
	if err := api.CheckChannel(r, q.channel); err != nil {
		return request{}, err
	}
	s := q.seats
	q.keyed, err = api.RequireRequest(r, fmt.Sprintf("%d seats of %q %q %q, apart: %t", s.Quantity, s.Category, s.Zone, s.Area, s.Apart))
	return q, err
}

// notRequest returns the problem of a body that json.Unmarshal refused with err.
func notRequest(err error, maxSeats int) error {
	var semantic *json.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic) && semantic.JSONPointer != "":
		want := map[string]string{"quantity": fmt.Sprintf("a number from 1 to %d", maxSeats), "adjacent": "true or false"}[semantic.JSONPointer.LastToken()]
		if want == "" {
			want = "a string"
		}
		return api.Invalid("%s must be %s.", semantic.JSONPointer.LastToken(), want)
	case errors.As(err, &syntax) && errors.Is(syntax.Err, jsontext.ErrDuplicateName):
		return api.Invalid("%.64q is there twice; send each member once.", syntax.JSONPointer.LastToken())
	}
	return api.Invalid("The body must be one JSON object; %s.", example)
}
