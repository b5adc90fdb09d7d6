package api

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
)

// FuzzParseSeats checks that a request is either refused with a detail, or valid for
// seatlock.
func FuzzParseSeats(f *testing.F) {
	f.Add([]byte(`{"seat_id":"1A","user_id":"user_123"}`))
	f.Add([]byte(`{"event_id":"gala","seat_ids":["1A","1B"],"user_id":"auth0|x"}`))
	f.Add([]byte(`{"seat_ids":["1A","1A"],"user_id":"x"}`))
	f.Add([]byte(`{"seat_id":"\u0410","user_id":"\ud800"}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		seats, err := parseSeats(body, Rules{MaxSeats: MaxSeats}, "")
		if err != nil {
			var p *Problem
			require.ErrorAs(t, err, &p)
			require.Equal(t, CodeInvalidRequest, p.Code)
			require.NotEmpty(t, p.Detail)
			return
		}
		require.True(t, jsontext.Value(body).IsValid())
		require.True(t, seatlock.ValidID(seats.EventID))
		require.True(t, seatlock.ValidUser(seats.UserID))
		require.NotEmpty(t, seats.SeatIDs)
		require.LessOrEqual(t, len(seats.SeatIDs), MaxSeats)
		seen := map[string]bool{}
		for _, id := range seats.SeatIDs {
			require.True(t, seatlock.ValidID(id))
			require.False(t, seen[id], "%s twice", id)
			seen[id] = true
		}
	})
}

func TestParseSeats_EnforcesMaxSeats(t *testing.T) {
	t.Parallel()
	body := []byte(`{"seat_ids":["1","2","3"],"user_id":"ann"}`)
	_, err := parseSeats(body, Rules{MaxSeats: 3}, "")
	require.NoError(t, err)
	_, err = parseSeats(body, Rules{MaxSeats: 2}, "")
	require.ErrorContains(t, err, "seat_ids must name 1 to 2 seats, not 3.")
}

func TestUntil_AddsTheDeadlineInUTCWithMilliseconds(t *testing.T) {
	t.Parallel()
	a := NewSeatsResponse("reserved", Seats{}).Until(seatlock.Hold{Deadline: time.UnixMilli(1_700_000_000_120).UTC(), ExpiresIn: 0})
	require.Equal(t, "2023-11-14T22:13:20.120Z", a.ExpiresAt)
	require.NotNil(t, a.ExpiresInMS, "a hold that ends now is a hold")
	require.Zero(t, *a.ExpiresInMS)
}

func BenchmarkParseSeats(b *testing.B) {
	for name, body := range map[string]string{
		"OneSeat":  `{"seat_id":"1A","user_id":"user_123"}`,
		"TenSeats": `{"event_id":"gala","seat_ids":["1A","1B","1C","1D","1E","1F","1G","1H","2A","2B"],"user_id":"user_123"}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parseSeats([]byte(body), Rules{MaxSeats: MaxSeats}, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
