package api

import (
	"bytes"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"booking/seatlock"
)

// maxBlockBody is the limit of a body that names seats to block, bytes: their ids may be long.
const maxBlockBody = 128 << 10

const blockExample = `send an object like {"seat_ids":["1A","1B"],"channel":"house"}`

// Block is the request of the calls that keep seats for a channel.
type Block struct {
	Seats
	Channel string
}

// BlockResponse is the success of these calls.
type BlockResponse struct {
	Status  string   `json:"status"`
	EventID string   `json:"event_id"`
	SeatIDs []string `json:"seat_ids"`
	Channel string   `json:"channel"`
}

type blockBody struct {
	EventID *string                   `json:"event_id"`
	SeatID  *string                   `json:"seat_id"`
	SeatIDs []string                  `json:"seat_ids"`
	Channel *string                   `json:"channel"`
	Others  map[string]jsontext.Value `json:",embed"`
}

var blockMembers = Names{"event_id", "seat_id", "seat_ids", "channel"}

// DecodeBlock reads the body of r. The error is a *Problem.
func DecodeBlock(w http.ResponseWriter, r *http.Request) (Block, error) {
	text := buffers.Get().(*bytes.Buffer)
	defer release(text)
	if err := readInto(text, w, r, maxBlockBody, blockExample); err != nil {
		return Block{}, err
	}
	var b blockBody
	if err := json.Unmarshal(text.Bytes(), &b); err != nil {
		return Block{}, notJSON(text.Bytes(), err, blockExample)
	}
	for other := range b.Others {
		if err := blockMembers.CheckMember(other); err != nil {
			return Block{}, err
		}
	}
	var block Block
	var err error
	if block.EventID, err = EventOf(b.EventID); err != nil {
		return Block{}, err
	}
	if block.SeatIDs, err = seatsOf(b.SeatID, b.SeatIDs, seatlock.MaxBlockSeats, blockExample); err != nil {
		return Block{}, err
	}
	switch {
	case b.Channel == nil:
		return Block{}, Invalid("channel is missing; %s.", blockExample)
	case !seatlock.ValidID(*b.Channel):
		return Block{}, Invalid("channel %s.", IDForm)
	}
	block.Channel = *b.Channel
	if block.Request, err = requestOf(r); err != nil {
		return Block{}, err
	}
	RecordSeats(r, block.Seats)
	return block, nil
}

// EventOf returns the event of a body, whose event_id may be nil. The error is a *Problem.
func EventOf(id *string) (string, error) {
	if id == nil {
		return seatlock.DefaultEvent, nil
	}
	if !seatlock.ValidID(*id) {
		return "", Invalid("event_id %s; omit it for the event %q.", IDForm, seatlock.DefaultEvent)
	}
	return *id, nil
}

// seatsOf returns the seats of a body: id or ids, at most limit, without duplicates.
func seatsOf(id *string, ids []string, limit int, example string) ([]string, error) {
	switch {
	case id != nil && ids != nil:
		return nil, Invalid("Send seat_id or seat_ids, not both.")
	case id != nil:
		if !seatlock.ValidID(*id) {
			return nil, Invalid("seat_id %s.", IDForm)
		}
		return []string{*id}, nil
	case ids == nil:
		return nil, Invalid("seat_id is missing; %s.", example)
	}
	return seatIDs("seat_ids", ids, limit)
}

// seatIDs checks a list of seats: at most limit, without duplicates.
func seatIDs(member string, ids []string, limit int) ([]string, error) {
	if len(ids) == 0 || len(ids) > limit {
		return nil, Invalid("%s must name 1 to %d seats, not %d.", member, limit, len(ids))
	}
	for i, id := range ids {
		if !seatlock.ValidID(id) {
			return nil, Invalid("%s[%d] %s.", member, i, IDForm)
		}
		if slices.Contains(ids[:i], id) {
			return nil, Invalid("%s[%d] names %s a second time; name each seat once.", member, i, id)
		}
	}
	return ids, nil
}

// WriteBlock answers with status 200 that the seats have the status.
func WriteBlock(w http.ResponseWriter, r *http.Request, status string, b Block) error {
	RecordOutcome(r, status)
	markReplayed(w, b.Request)
	return WriteJSON(w, BlockResponse{Status: status, EventID: b.EventID, SeatIDs: b.SeatIDs, Channel: b.Channel})
}
