package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/plan"
	"booking/seatlock"
)

// Limits of an event.
const (
	maxBody  = 16 << 20
	maxTitle = 200
	minHold  = time.Second
	maxHold  = 24 * time.Hour
	maxLimit = 1000
)

const exampleTime = `a string like "2027-01-31T10:00:00Z"`

// body is the body of PUT. A pointer is nil if the member is missing or null.
type body struct {
	Title           *string        `json:"title"`
	StartsAt        *string        `json:"starts_at"`
	OnSaleAt        *string        `json:"on_sale_at"`
	OffSaleAt       *string        `json:"off_sale_at"`
	HoldTTL         *string        `json:"hold_ttl"`
	MaxHold         *string        `json:"max_hold"`
	MaxSeatsPerUser *int           `json:"max_seats_per_user"`
	Plan            jsontext.Value `json:"plan"`
	Areas           []catalog.Area `json:"areas"`
}

// members are those of body.
var members = api.Names{"title", "starts_at", "on_sale_at", "off_sale_at", "hold_ttl", "max_hold", "max_seats_per_user", "plan", "areas"}

// putRequest is a body that was checked.
type putRequest struct {
	seatlock.Put
	plan     *plan.Plan
	hasPlan  bool     // whether the body has a plan or areas
	document document // that Put.Document has as JSON
}

// decode checks the body of PUT. The error is a *Problem that names every fault with its place.
func decode(text []byte) (*putRequest, error) {
	var b body
	if err := jsonv2.Unmarshal(text, &b, jsonv2.RejectUnknownMembers(true)); err != nil {
		return nil, notEvent(text, err)
	}
	c := &checker{}
	put := b.check(c)
	if len(c.faults) > 0 {
		return nil, api.Invalid("%s.", strings.Join(c.faults, "; "))
	}
	return put, nil
}

// notEvent returns the problem of a body that jsonv2.Unmarshal refused with err.
func notEvent(text []byte, err error) error {
	var semantic *jsonv2.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case len(text) == 0:
		return api.Invalid(`The body is empty; send an object like {"on_sale_at":"2027-01-31T10:00:00Z"}, or {}.`)
	case errors.As(err, &semantic) && errors.Is(err, jsonv2.ErrUnknownName):
		name := semantic.JSONPointer.LastToken()
		if err := members.CheckMember(name); err != nil {
			return err
		}
		if strings.HasPrefix(string(semantic.JSONPointer), "/areas/") {
			return api.Invalid("%.64q at %s is not a member of an area; its members are area_id, capacity, category.", name, place(semantic.JSONPointer))
		}
		return api.Invalid("%.64q at %s is not a member of an event; its members are %s.", name, place(semantic.JSONPointer), strings.Join(members, ", "))
	case errors.As(err, &semantic):
		want := map[string]string{
			"max_seats_per_user": "a number from 0 to 1000", "areas": "an array", "capacity": "a number",
			"hold_ttl": `a string like "5m"`, "max_hold": `a string like "15m"`,
			"starts_at": exampleTime, "on_sale_at": exampleTime, "off_sale_at": exampleTime,
		}[semantic.JSONPointer.LastToken()]
		if want == "" {
			want = "a string"
		}
		if semantic.JSONPointer == "" {
			return api.Invalid("The body must be one JSON object.")
		}
		return api.Invalid("%s must be %s.", place(semantic.JSONPointer), want)
	case errors.As(err, &syntax) && errors.Is(syntax.Err, jsontext.ErrDuplicateName):
		return api.Invalid("%s is there twice; send each member once.", place(syntax.JSONPointer))
	case errors.As(err, &syntax):
		return api.Invalid("The body is not one JSON value (byte %d); send an object like {\"on_sale_at\":\"2027-01-31T10:00:00Z\"}.", syntax.ByteOffset)
	}
	return api.Invalid("The body is not JSON.")
}

// place writes a JSON Pointer like areas[0].capacity.
func place(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "":
			b.WriteString("[" + token + "]")
		case b.Len() > 0:
			b.WriteString("." + token)
		default:
			b.WriteString(token)
		}
	}
	return fmt.Sprintf("%.100s", b.String())
}

// checker collects the faults of a body.
type checker struct{ faults []string }

func (c *checker) add(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

// time parses a member that is a time, in UTC; the zero Time if it is missing or wrong.
func (c *checker) time(name string, value *string) (time.Time, string) {
	if value == nil {
		return time.Time{}, ""
	}
	t, err := time.Parse(time.RFC3339Nano, *value)
	if err != nil || t.Year() < 1971 || t.Year() > 2285 {
		c.add("%s is %.40q: want a time with its zone, like 2027-01-31T10:00:00Z or 2027-01-31T10:00:00.500+01:00", name, *value)
		return time.Time{}, ""
	}
	t = t.Truncate(time.Millisecond).UTC()
	return t, api.Time(t)
}

// duration parses a member that is a duration; 0 if it is missing or wrong.
func (c *checker) duration(name string, value *string) (time.Duration, string) {
	if value == nil {
		return 0, ""
	}
	d, err := time.ParseDuration(*value)
	if err != nil || d < minHold || d > maxHold || d%time.Millisecond != 0 {
		c.add("%s is %.40q: want a duration from 1s to 24h, like 5m or 90s", name, *value)
		return 0, ""
	}
	return d, d.String()
}

// check checks the members and adds their faults to c.
func (b *body) check(c *checker) *putRequest {
	put := &putRequest{hasPlan: b.Plan != nil || b.Areas != nil}
	d := &put.document
	if b.Title != nil {
		if d.Title = *b.Title; len([]rune(d.Title)) > maxTitle {
			c.add("title has %d characters: want at most %d", len([]rune(d.Title)), maxTitle)
		}
	}
	_, d.StartsAt = c.time("starts_at", b.StartsAt)
	put.OnSale, d.OnSaleAt = c.time("on_sale_at", b.OnSaleAt)
	put.OffSale, d.OffSaleAt = c.time("off_sale_at", b.OffSaleAt)
	if !put.OffSale.IsZero() && !put.OffSale.After(put.OnSale) {
		c.add("off_sale_at is not after on_sale_at: want a sale that ends after it begins")
	}
	put.HoldTime, d.HoldTTL = c.duration("hold_ttl", b.HoldTTL)
	put.MaxHoldTime, d.MaxHold = c.duration("max_hold", b.MaxHold)
	if put.MaxHoldTime != 0 && put.MaxHoldTime < put.HoldTime {
		c.add("max_hold is below hold_ttl: want at least as long")
	}
	if d.MaxSeatsPerUser = b.MaxSeatsPerUser; d.MaxSeatsPerUser != nil {
		put.MaxSeatsPerUser = d.MaxSeatsPerUser
		if *d.MaxSeatsPerUser < 0 || *d.MaxSeatsPerUser > maxLimit {
			c.add("max_seats_per_user is %d: want a number from 0 to %d; 0 is no limit", *d.MaxSeatsPerUser, maxLimit)
		}
	}
	d.Areas = b.Areas
	raw := []byte(b.Plan)
	if string(raw) == "null" {
		raw = nil
	}
	var err error
	if put.plan, err = catalog.Parse(raw, b.Areas); err != nil {
		c.add("%v", err)
	}
	if put.plan != nil {
		put.HasSeat = put.plan.Has
	}
	if put.Plan, err = catalog.Store(raw, b.Areas); err != nil {
		c.add("areas: %v", err)
	}
	put.Document, err = json.Marshal(d)
	if err != nil {
		c.add("title: %v", err)
	}
	return put
}
