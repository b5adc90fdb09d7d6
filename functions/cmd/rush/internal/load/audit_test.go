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

func TestCurrentSales_AreThoseThatHaveNotEnded(t *testing.T) {
	t.Parallel()
	call := func(op oracle.Op, user, order string, outcome oracle.Outcome, seats ...string) client.Call {
		return client.Call{Call: oracle.Call{Op: op, Seats: seats, User: user, Order: order, Outcome: outcome}}
	}
	move := func(c client.Call, to ...string) client.Call { c.To = to; return c }
	calls := []client.Call{
		call(oracle.Buy, "ann", "o1", oracle.Done, "1A", "1B"),
		call(oracle.Buy, "ann", "o1", oracle.Done, "1A", "1B"), // the same again
		call(oracle.Buy, "ann", "o2", oracle.Refused, "1A", "1B"),
		call(oracle.Return, "ann", "o1", oracle.Done, "1A"),
		call(oracle.Buy, "bob", "o3", oracle.Done, "1A"),
		call(oracle.Return, "ann", "o1", oracle.Refused, "1A"),
		call(oracle.Buy, "eve", "o4", oracle.Done, "1C"),
		call(oracle.Return, "eve", "o4", oracle.Unknown, "1C"),
		call(oracle.Buy, "eve", "o4", oracle.Done, "1D"),
		call(oracle.Return, "eve", "o4", oracle.NotRun, "1D"),
		call(oracle.Buy, "kim", "o5", oracle.Done, "2A"),
		move(call(oracle.Exchange, "kim", "o5", oracle.Done, "2A"), "2B"),
		move(call(oracle.Exchange, "kim", "o5", oracle.Done, "2A"), "2B"), // the same again
	}
	require.Equal(t, []oracle.Call{
		{Op: oracle.Buy, Seats: []string{"1B"}, User: "ann", Order: "o1"},
		{Op: oracle.Buy, Seats: []string{"1A"}, User: "bob", Order: "o3"},
		{Op: oracle.Buy, Seats: []string{"1D"}, User: "eve", Order: "o4"},
		{Op: oracle.Buy, Seats: []string{"2B"}, User: "kim", Order: "o5"},
	}, currentSales(calls))
	require.Equal(t, []oracle.Call{
		{Op: oracle.Return, Seats: []string{"1A"}, User: "ann", Order: "o1"},
		{Op: oracle.Exchange, Seats: []string{"2A"}, To: []string{"2B"}, User: "kim", Order: "o5"},
	}, endings(calls))
}
