package api

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNames_FindTheMeantName(t *testing.T) {
	t.Parallel()
	known := Names{"event_id", "seat_id", "seat_ids", "to_seat_ids", "quantity"}
	for other, meant := range map[string]string{
		"eventId": "event_id", "event": "event_id", "EVENT_ID": "event_id", "Event-Id": "event_id", "event__id": "event_id", "EVENT": "event_id",
		"seatId": "seat_id", "seat": "seat_id", "seatIds": "seat_ids", "seats": "seat_ids", "\u017feat_ids": "seat_ids", // a long s
		"toSeats": "to_seat_ids", "toSeatIds": "to_seat_ids", "Quantity": "quantity",
		"event_id": "", "seat_ids": "", "quantity": "", "events": "", "id": "", "note": "", "": "", "_": "", "seat_idx": "", "user": "",
	} {
		require.Equal(t, meant, known.meant(other), other)
	}
	require.EqualError(t, known.CheckMember("eventId"), `invalid_request: "eventId" is not a member of the request; write event_id.`)
	require.EqualError(t, known.CheckParameter("event"), `invalid_request: "event" is not a parameter of the query; write event_id.`)
	require.NoError(t, known.CheckMember("note"))
}
