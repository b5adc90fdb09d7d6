package load

import (
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/rush/internal/client"
	"booking/seatlock"
	"booking/seatlock/oracle"
)

func TestCheckBlocked_FindsSeatsThatAreNotBlocked(t *testing.T) {
	t.Parallel()
	block := oracle.Call{Op: oracle.Block, Seats: []string{"1A", "1B", "1C", "1D"}, User: Channel, Outcome: oracle.Done}
	l := &Load{Event: Event{Blocked: block.Seats, Calls: []oracle.Call{block}}}
	blocked, findings := l.checkBlocked(client.Map{Blocked: []string{"1A", "9Z"}, Held: []string{"1B"}, Sold: []string{"1C"}}, "gala")
	require.Equal(t, []string{"1A"}, blocked, "not 9Z, which rush has not blocked")
	finding := func(seat string, status seatlock.Status) oracle.Finding {
		return oracle.Finding{Promise: oracle.BlockedKept, Seat: oracle.SeatID{Event: "gala", Seat: seat}, State: oracle.State{Status: status}, Calls: []oracle.Call{block}}
	}
	require.Equal(t, []oracle.Finding{finding("1B", seatlock.Reserved), finding("1C", seatlock.Sold), finding("1D", seatlock.Available)}, findings)
}
