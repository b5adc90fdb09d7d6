package oracle_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	. "booking/seatlock/oracle"
)

const (
	hold = 100 * time.Second
	ann  = "ann"
	bob  = "bob"

	house = "house" // a channel
)

// opening is when the sale opens: between second -1 and second 1.
var opening = Opening{At: time.UnixMilli(1_795_600_000_000), ClosedUntil: -time.Second, OpenFrom: time.Second}

// Entries of seat 1A in the conflicts of a refusal.
var (
	blockedSeat = seatlock.Seat{ID: "1A", Status: seatlock.Blocked}
	sold        = seatlock.Seat{ID: "1A", Status: seatlock.Sold}
	yours       = seatlock.Seat{ID: "1A", Status: seatlock.Sold, OwnedByCaller: true}
)

// call returns a call that is sent at second sent and takes a millisecond. Its seat is 1A
// by default.
func call(sent int, op Op, user string, outcome Outcome, seats ...string) Call {
	if len(seats) == 0 {
		seats = []string{"1A"}
	}
	c := Call{Op: op, Seats: seats, User: user, Outcome: outcome,
		Sent: time.Duration(sent) * time.Second, Answered: time.Duration(sent)*time.Second + time.Millisecond}
	if outcome == Done && (op == Reserve || op == Extend) {
		c.Hold = hold
	}
	return c
}

// refused returns c, refused because of conflicts.
func refused(c Call, conflicts ...seatlock.Seat) Call {
	c.Outcome, c.Conflicts = Refused, conflicts
	return c
}

// at returns c, whose hold begins that many milliseconds after the sale opens.
func at(ms int, c Call) Call {
	c.Deadline = opening.At.Add(time.Duration(ms)*time.Millisecond + hold)
	return c
}

// notOnSale returns c, refused because of the sale window.
func notOnSale(c Call) Call {
	c.NotOnSale = true
	return c
}

// under returns c with an order.
func under(order string, c Call) Call {
	c.Order = order
	return c
}

// exchange returns a call that moves ann's sale under order o1 from the first seats to as many
// others.
func exchange(sent int, outcome Outcome, seats ...string) Call {
	c := under("o1", call(sent, Exchange, ann, outcome, seats[:len(seats)/2]...))
	c.To = seats[len(seats)/2:]
	return c
}

func reserved(id string) seatlock.Seat { return seatlock.Seat{ID: id, Status: seatlock.Reserved} }

var blocked = State{Status: seatlock.Blocked}

func soldTo(user string) State { return State{Status: seatlock.Sold, User: user} }

func soldUnder(order, user string) State {
	return State{Status: seatlock.Sold, User: user, Order: order}
}

// sale returns the calls of a user who buys seats under an order. It takes two seconds.
func sale(sent int, order, user string, seats ...string) []Call {
	return []Call{call(sent, Reserve, user, Done, seats...), under(order, call(sent+1, Buy, user, Done, seats...))}
}

func heldBy(user string) State { return State{Status: seatlock.Reserved, User: user, TTL: true} }

// end returns the final states of the seats 1A, 1B and so on.
func end(states ...State) Final {
	final := Final{}
	for i, s := range states {
		final[SeatID{Seat: fmt.Sprintf("1%c", 'A'+i)}] = s
	}
	return final
}

func TestCheck_FindsPlantedViolation(t *testing.T) {
	t.Parallel()
	a, b := []string{"1A"}, []string{"1A", "1B"}
	for name, test := range map[string]struct {
		broken Promise
		calls  []Call
		end    Final
	}{
		"TwoBuyers": {OneBuyer, []Call{call(0, Reserve, ann, Done), call(2, Buy, ann, Done), call(200, Reserve, bob, Done), call(202, Buy, bob, Done)}, end(soldTo(bob))},

		"SaleDisappears":               {SalesLast, []Call{call(0, Reserve, ann, Done), call(2, Buy, ann, Done)}, end()},
		"SaleChangesUser":              {SalesLast, []Call{call(0, Reserve, ann, Done), call(2, Buy, ann, Done), call(0, Reserve, bob, Unknown), call(1, Buy, bob, Unknown)}, end(soldTo(bob))},
		"SaleHasTTL":                   {SalesLast, []Call{call(0, Reserve, ann, Done), call(2, Buy, ann, Unknown)}, end(State{Status: seatlock.Sold, User: ann, TTL: true})},
		"SaleBecomesHold":              {SalesLast, []Call{call(0, Reserve, ann, Done), call(2, Buy, ann, Done)}, end(heldBy(ann))},
		"SoldSeatReleased":             {SalesLast, []Call{call(0, Reserve, ann, Done), call(2, Buy, ann, Done), call(4, Release, ann, Done)}, end(soldTo(ann))},
		"TwoHolders":                   {OneHolder, []Call{call(0, Reserve, ann, Done), call(50, Reserve, bob, Done)}, end(heldBy(bob))},
		"HoldOverSale":                 {OneHolder, []Call{call(0, Reserve, ann, Done), call(2, Buy, ann, Done), call(500, Reserve, bob, Done)}, end(soldTo(ann))},
		"TwoHoldersAtOnce":             {OneHolder, []Call{call(0, Reserve, ann, Done), call(0, Reserve, bob, Done)}, end(heldBy(bob))},
		"SecondHoldLost":               {OneHolder, []Call{call(0, Reserve, ann, Done), call(2, Release, ann, Done), call(4, Reserve, ann, Done), call(6, Reserve, bob, Done)}, end(heldBy(bob))},
		"ExtensionLost":                {OneHolder, []Call{call(0, Reserve, ann, Done), call(90, Extend, ann, Done), call(150, Reserve, bob, Done)}, end(heldBy(bob))},
		"HoldMissingFromConflicts":     {OneHolder, []Call{call(0, Reserve, ann, Done, b...), call(0, Reserve, "eve", Done, "1C"), refused(call(2, Reserve, bob, Refused, "1A", "1C"), reserved("1C"))}, end(heldBy(ann), heldBy(ann), heldBy("eve"))},
		"HeldSeatCalledAvailable":      {OneHolder, []Call{call(0, Reserve, ann, Done), refused(call(2, Buy, bob, Refused), seatlock.Seat{ID: "1A"})}, end(heldBy(ann))},
		"SaleWithoutReserve":           {HoldFirst, []Call{call(2, Buy, ann, Done)}, end(soldTo(ann))},
		"SaleAfterRefusal":             {HoldFirst, []Call{call(0, Reserve, bob, Done), refused(call(2, Reserve, ann, Refused), reserved("1A")), call(4, Buy, ann, Done)}, end(soldTo(ann))},
		"SaleAfterRelease":             {HoldFirst, []Call{call(0, Reserve, ann, Done), call(2, Release, ann, Done), call(4, Buy, ann, Done)}, end(soldTo(ann))},
		"SaleAfterDeadline":            {HoldFirst, []Call{call(0, Reserve, ann, Done), call(110, Buy, ann, Done)}, end(soldTo(ann))},
		"ExtensionWithoutHold":         {HoldFirst, []Call{call(0, Reserve, ann, Done), call(110, Extend, ann, Done)}, end(heldBy(ann))},
		"SaleWithoutBuy":               {HoldFirst, []Call{call(0, Reserve, ann, Done)}, end(soldTo(ann))},
		"HoldWithoutReserve":           {HoldFirst, nil, end(heldBy(ann))},
		"ExpiredSeatRefused":           {NothingStuck, []Call{call(0, Reserve, ann, Done), refused(call(150, Reserve, bob, Refused), reserved("1A"))}, end()},
		"ReleasedSeatRefused":          {NothingStuck, []Call{call(0, Reserve, ann, Done), call(2, Release, ann, Done), refused(call(4, Reserve, bob, Refused), reserved("1A"))}, end()},
		"UnsoldSeatCalledSold":         {NothingStuck, []Call{call(0, Reserve, ann, Done), refused(call(2, Reserve, bob, Refused), sold)}, end(heldBy(ann))},
		"UnsoldSeatCalledSoldToCaller": {NothingStuck, []Call{call(0, Reserve, ann, Done), refused(call(2, Reserve, ann, Refused), yours)}, end(heldBy(ann))},
		"UnsoldSeatReleaseRefused":     {NothingStuck, []Call{call(0, Reserve, ann, Done), refused(call(2, Release, ann, Refused), sold)}, end(heldBy(ann))},
		"HoldWithoutTTL":               {NothingStuck, []Call{call(0, Reserve, ann, Done)}, end(State{Status: seatlock.Reserved, User: ann})},
		"ReserveRefusesOwner":          {OwnerServed, []Call{call(0, Reserve, ann, Done), refused(call(2, Reserve, ann, Refused), reserved("1A"))}, end(heldBy(ann))},
		"BuyRefusesOwner":              {OwnerServed, []Call{call(0, Reserve, ann, Done), refused(call(2, Buy, ann, Refused), seatlock.Seat{ID: "1A"})}, end(heldBy(ann))},
		"ExtendRefusesOwner":           {OwnerServed, []Call{call(0, Reserve, ann, Done), call(60, Extend, ann, Done), refused(call(140, Extend, ann, Refused), reserved("1A"))}, end(heldBy(ann))},
		"RefusedWithoutReason":         {OwnerServed, []Call{call(0, Reserve, ann, Done), call(2, Buy, ann, Refused)}, end(heldBy(ann))},
		"SaleToOtherUser":              {OwnerServed, []Call{call(0, Reserve, ann, Done), call(2, Buy, ann, Done), refused(call(4, Reserve, ann, Refused), sold)}, end(soldTo(ann))},

		"HalfGroupSold":              {GroupsWhole, []Call{call(0, Reserve, ann, Done, b...), call(2, Buy, ann, Unknown, b...)}, end(soldTo(ann), heldBy(ann))},
		"HalfGroupHeld":              {GroupsWhole, []Call{call(0, Reserve, bob, Done, "1B"), refused(call(2, Reserve, ann, Refused, b...), reserved("1B"))}, end(heldBy(ann), heldBy(bob))},
		"HalfGroupBought":            {GroupsWhole, []Call{call(0, Reserve, bob, Done, "1B"), refused(call(2, Reserve, ann, Refused, b...), reserved("1B")), call(4, Buy, ann, Done, a...)}, end(soldTo(ann), heldBy(bob))},
		"HoldBeginsEarly":            {OpensOnTime, []Call{at(-1, call(2, Reserve, ann, Done))}, end(heldBy(ann))},
		"HoldAnsweredEarly":          {OpensOnTime, []Call{call(-2, Reserve, ann, Done)}, end(heldBy(ann))},
		"ExtensionShowsEarlyHold":    {OpensOnTime, []Call{call(2, Reserve, ann, Done), at(-1, call(3, Extend, ann, Done))}, end(heldBy(ann))},
		"RefusedAfterOpening":        {OpensOnTime, []Call{notOnSale(call(2, Reserve, ann, Refused))}, end()},
		"OwnerRefusedBeforeOpening":  {OwnerServed, []Call{call(0, Reserve, ann, Done), notOnSale(call(2, Reserve, ann, Refused))}, end(heldBy(ann))},
		"BlockedSeatHeld":            {BlockedKept, []Call{call(-9, Block, house, Done), call(2, Reserve, ann, Done)}, end(blocked)},
		"BlockedSeatHeldInGroup":     {BlockedKept, []Call{call(-9, Block, house, Done), call(2, Reserve, ann, Done, b...)}, end(blocked, heldBy(ann))},
		"BlockedSeatSold":            {BlockedKept, []Call{call(0, Reserve, ann, Done), call(110, Block, house, Done), call(120, Buy, ann, Done)}, end(soldTo(ann))},
		"BlockEnds":                  {BlockedKept, []Call{call(-9, Block, house, Done)}, end()},
		"BlockedSeatCalledHeld":      {BlockedKept, []Call{call(-9, Block, house, Done), refused(call(2, Reserve, ann, Refused), reserved("1A"))}, end(blocked)},
		"BlockMissingFromConflicts":  {BlockedKept, []Call{call(-9, Block, house, Done), call(1, Reserve, bob, Done, "1B"), refused(call(2, Reserve, ann, Refused, b...), reserved("1B"))}, end(blocked, heldBy(bob))},
		"UnblockRefused":             {BlockedKept, []Call{call(-9, Block, house, Done), refused(call(2, Unblock, house, Refused), reserved("1A"))}, end(blocked)},
		"HeldSeatBlocked":            {OneHolder, []Call{call(0, Reserve, ann, Done), call(2, Block, house, Done)}, end(blocked)},
		"UnblockedSeatCalledBlocked": {NothingStuck, []Call{call(-9, Block, house, Done), call(0, Unblock, house, Done), refused(call(2, Reserve, ann, Refused), blockedSeat)}, end()},
		"NeverBlockedSeatIsBlocked":  {NothingStuck, nil, end(blocked)},
		"UnblockedSeatIsBlocked":     {NothingStuck, []Call{call(-9, Block, house, Done), call(0, Unblock, house, Done)}, end(blocked)},

		"TwoOrders":               {OneBuyer, append(sale(0, "o1", ann), under("o2", call(4, Buy, ann, Done))), end(soldUnder("o2", ann))},
		"TwoOrdersAtOnce":         {OneBuyer, append(sale(0, "o1", ann), under("o2", call(1, Buy, ann, Done))), end(soldUnder("o1", ann))},
		"OrderAndNoOrder":         {OneBuyer, append(sale(0, "o1", ann), call(4, Buy, ann, Done)), end(soldUnder("o1", ann))},
		"SoldTwiceBeforeReturn":   {OneBuyer, append(append(sale(0, "o1", ann), sale(4, "o2", bob)...), under("o1", call(8, Return, ann, Done))), end(soldUnder("o2", bob))},
		"SaleChangesOrder":        {SalesLast, append(sale(0, "o1", ann), under("o2", call(4, Buy, ann, Unknown))), end(soldUnder("o2", ann))},
		"SaleEndsAfterReturn":     {SalesLast, append(append(sale(0, "o1", ann), under("o1", call(4, Return, ann, Done))), sale(6, "o2", bob)...), end()},
		"SoldSeatReserved":        {SalesLast, append(sale(0, "o1", ann), call(4, Reserve, ann, Done)), end(soldUnder("o1", ann))},
		"SaleEndsByOtherOrder":    {OwnSale, append(sale(0, "o1", ann), under("o2", call(4, Return, ann, Done))), end()},
		"SaleEndsByOtherUser":     {OwnSale, append(sale(0, "o1", ann), under("o1", call(4, Return, bob, Done))), end()},
		"SaleEndsByLateReturn":    {OwnSale, slices.Concat(sale(0, "o1", ann), []Call{under("o1", call(4, Return, ann, Done))}, sale(6, "o2", ann), []Call{under("o1", call(9, Return, ann, Done))}), end()},
		"SaleEndsByOtherExchange": {OwnSale, append(append(sale(0, "o2", bob), under("o1", call(0, Buy, ann, Unknown))), exchange(4, Done, "1A", "1B")), end(State{}, soldUnder("o1", ann))},
		"HoldReturned":            {OneHolder, []Call{call(0, Reserve, ann, Done), under("o1", call(2, Return, ann, Done))}, end()},
		"HoldOfOtherReturned":     {OneHolder, slices.Concat(sale(0, "o1", ann), []Call{under("o1", call(4, Return, ann, Done)), call(6, Reserve, bob, Done), under("o1", call(8, Return, ann, Done))}), end()},
		"SaleAfterReturn":         {HoldFirst, append(sale(0, "o1", ann), under("o1", call(4, Return, ann, Done)), under("o1", call(6, Buy, ann, Done))), end(soldUnder("o1", ann))},
		"ExtensionAfterReturn":    {HoldFirst, append(sale(0, "o1", ann), under("o1", call(4, Return, ann, Done)), call(6, Extend, ann, Done)), end(heldBy(ann))},
		"ExchangeWithoutSale":     {HoldFirst, []Call{exchange(0, Done, "1A", "1B")}, end(State{}, soldUnder("o1", ann))},
		"ReturnedSeatCalledSold":  {NothingStuck, append(sale(0, "o1", ann), under("o1", call(4, Return, ann, Done)), refused(call(6, Reserve, bob, Refused), sold)), end()},
		"ReturnedSeatIsSold":      {NothingStuck, append(sale(0, "o1", ann), under("o1", call(4, Return, ann, Done))), end(soldUnder("o1", ann))},
		"RepeatedReturnRefused":   {NothingStuck, append(sale(0, "o1", ann), under("o1", call(4, Return, ann, Done)), refused(under("o1", call(6, Return, ann, Refused)), seatlock.Seat{ID: "1A"})), end()},
		"SoldUnderNoOtherOrder":   {NothingStuck, []Call{call(0, Reserve, ann, Done), refused(under("o1", call(2, Buy, ann, Refused)), yours)}, end(heldBy(ann))},
		"ReturnRefusesOwner":      {OwnerServed, append(sale(0, "o1", ann), refused(under("o1", call(4, Return, ann, Refused)), yours)), end(soldUnder("o1", ann))},
		"ExchangeRefusesOwner":    {OwnerServed, append(sale(0, "o1", ann), refused(exchange(4, Refused, "1A", "1B"), sold)), end(soldUnder("o1", ann))},
		"ReturnHidesOtherOrder":   {OneHolder, slices.Concat(sale(0, "o2", ann), sale(0, "o2", bob, "1B"), []Call{refused(under("o1", call(4, Return, ann, Refused, b...)), seatlock.Seat{ID: "1B", Status: seatlock.Sold})}), end(soldUnder("o2", ann), soldUnder("o2", bob))},
		"HalfGroupReturned":       {GroupsWhole, append(sale(0, "o1", ann, b...), under("o1", call(4, Return, ann, Unknown, b...))), end(State{}, soldUnder("o1", ann))},
		"ExchangeKeepsOldSeat":    {NothingStuck, append(sale(0, "o1", ann), exchange(4, Done, "1A", "1B")), end(soldUnder("o1", ann), soldUnder("o1", ann))},
		"HalfExchangeSells":       {GroupsWhole, append(sale(0, "o1", ann), exchange(4, Unknown, "1A", "1B")), end(soldUnder("o1", ann), soldUnder("o1", ann))},
		"HalfExchangeEnds":        {GroupsWhole, append(sale(0, "o1", ann), exchange(4, Unknown, "1A", "1B")), end()},
		"ExchangeTakesHeldSeat":   {OneHolder, slices.Concat(sale(0, "o1", ann), []Call{call(2, Reserve, bob, Done, "1B"), exchange(4, Done, "1A", "1B")}), end(State{}, soldUnder("o1", ann))},
		"ExchangeTakesSoldSeat":   {OneBuyer, slices.Concat(sale(0, "o1", ann), sale(2, "o2", bob, "1B"), []Call{exchange(4, Done, "1A", "1B")}), end(State{}, soldUnder("o1", ann))},
		"ExchangeTakesBlocked":    {BlockedKept, append(append(sale(0, "o1", ann), call(2, Block, house, Done, "1B")), exchange(4, Done, "1A", "1B")), end(State{}, soldUnder("o1", ann))},
		"ExchangedSaleDisappears": {SalesLast, append(sale(0, "o1", ann), exchange(4, Done, "1A", "1B")), end()},

		"HalfGroupNotSold": {SalesLast, []Call{call(0, Reserve, ann, Done, b...), call(2, Buy, ann, Done, b...)}, end(soldTo(ann), heldBy(ann))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := Check(History{Calls: test.calls, HoldTime: hold, Opening: opening}, test.end)
			var broken []Promise
			for _, f := range found {
				broken = append(broken, f.Promise)
				require.Contains(t, f.String(), string(f.Promise))
				for _, c := range f.Calls {
					require.Contains(t, f.String(), c.String())
				}
			}
			require.Contains(t, broken, test.broken, "%v", found)
		})
	}
}

func TestCheck_AcceptsCorrectHistory(t *testing.T) {
	t.Parallel()
	long := call(0, Reserve, ann, Done)
	long.Answered = 150 * time.Second
	late := call(0, Reserve, ann, Refused)
	late.Answered = 150 * time.Second
	lateReturn := under("o1", call(4, Return, ann, Refused))
	lateReturn.Answered = 7 * time.Second
	lateExchange := exchange(4, Refused, "1A", "1B")
	lateExchange.Answered = 9 * time.Second
	lateBuy := under("o1", call(4, Buy, ann, Refused))
	lateBuy.Answered = 9 * time.Second
	lateGroup := call(90, Reserve, ann, Refused, "1A", "1B")
	lateGroup.Answered = 150 * time.Second
	for name, test := range map[string]struct {
		calls []Call
		end   Final
	}{
		"NoCalls":                 {nil, Final{}},
		"LateAnswerToExpiredHold": {[]Call{long, call(120, Reserve, bob, Done)}, end(heldBy(bob))},
		"UnknownReleaseRunsLater": {[]Call{call(0, Release, ann, Unknown), call(10, Reserve, ann, Done), call(20, Reserve, bob, Done)}, end(heldBy(bob))},
		"ReleaseDuringReserve":    {[]Call{call(0, Reserve, ann, Done), call(0, Release, ann, Done), call(2, Reserve, bob, Done)}, end(heldBy(bob))},
		"UnknownReserveHolds":     {[]Call{call(0, Reserve, ann, Unknown), refused(call(900, Reserve, bob, Refused), reserved("1A")), call(902, Buy, ann, Done)}, end(soldTo(ann))},
		"UnknownBuySells":         {[]Call{call(0, Reserve, ann, Done), call(2, Buy, ann, Unknown), call(900, Buy, ann, Done)}, end(soldTo(ann))},
		"RepeatedBuy":             {[]Call{call(0, Reserve, ann, Done), call(2, Buy, ann, Done), call(900, Buy, ann, Done)}, end(soldTo(ann))},
		"CallNotRun":              {[]Call{call(0, Reserve, ann, NotRun), call(2, Reserve, bob, Done)}, end(heldBy(bob))},
		"UnknownGroupBuyNotRun":   {[]Call{call(0, Reserve, ann, Done, "1A", "1B"), call(2, Buy, ann, Unknown, "1A", "1B"), call(2, Buy, ann, Done, "1A")}, end(soldTo(ann), heldBy(ann))},
		"SeatLimitRefusesGroup":   {[]Call{call(0, Reserve, ann, Done), call(2, Reserve, ann, Refused, "1A", "1B")}, end(heldBy(ann))},
		"RetriedReserveExpires":   {[]Call{refused(late, reserved("1A")), refused(call(1, Reserve, bob, Refused), reserved("1A")), call(120, Reserve, "eve", Done)}, end(heldBy("eve"))},
		"RetriedGroupKeepsRest":   {[]Call{call(0, Reserve, ann, Done), refused(lateGroup, reserved("1A")), call(120, Reserve, bob, Done), call(151, Buy, ann, Done, "1B")}, end(heldBy(bob), soldTo(ann))},
		"HeldFromTheOpening":      {[]Call{at(0, call(0, Reserve, ann, Done))}, end(heldBy(ann))},
		"RefusedBeforeOpening":    {[]Call{notOnSale(call(-2, Reserve, ann, Refused)), notOnSale(call(0, Reserve, ann, Refused))}, end()},
		"BlockedSeatRefused":      {[]Call{call(-9, Block, house, Done), refused(call(2, Reserve, ann, Refused), blockedSeat)}, end(blocked)},
		"UnblockedSeatHeld":       {[]Call{call(-9, Block, house, Done), call(2, Unblock, house, Done), call(4, Reserve, ann, Done)}, end(heldBy(ann))},
		"UnblockDuringReserve":    {[]Call{call(-9, Block, house, Done), call(2, Unblock, house, Done), call(2, Reserve, ann, Done)}, end(heldBy(ann))},
		"UnknownBlock":            {[]Call{call(-9, Block, house, Unknown), refused(call(2, Reserve, ann, Refused), blockedSeat)}, end()},
		"UnknownUnblock":          {[]Call{call(-9, Block, house, Done), call(-8, Unblock, house, Unknown), call(2, Reserve, ann, Done)}, end(heldBy(ann))},
		"BlockOfSoldSeatRefused":  {[]Call{call(0, Reserve, ann, Done), call(2, Buy, ann, Done), refused(call(4, Block, house, Refused), seatlock.Seat{ID: "1A", Status: seatlock.Sold})}, end(soldTo(ann))},
		"ReturnedAndSoldAgain":    {append(append(sale(0, "o1", ann), under("o1", call(4, Return, ann, Done))), sale(6, "o2", bob)...), end(soldUnder("o2", bob))},
		"ReturnedAndSoldToSame":   {append(append(sale(0, "o1", ann), under("o1", call(4, Return, ann, Done))), sale(6, "o1", ann)...), end(soldUnder("o1", ann))},
		"RepeatedReturn":          {append(sale(0, "o1", ann), under("o1", call(4, Return, ann, Done)), under("o1", call(6, Return, ann, Done))), end()},
		"ReturnOfUnsoldSeat":      {[]Call{under("o1", call(4, Return, ann, Done))}, end()},
		"LateReturnRefused":       {slices.Concat(sale(0, "o1", ann), []Call{under("o1", call(4, Return, ann, Done))}, sale(6, "o2", ann), []Call{refused(under("o1", call(9, Return, ann, Refused)), yours)}), end(soldUnder("o2", ann))},
		"ReturnOfHoldRefused":     {append(sale(0, "o1", ann), under("o1", call(4, Return, ann, Done)), call(6, Reserve, ann, Done), refused(under("o1", call(8, Return, ann, Refused)), reserved("1A"))), end(heldBy(ann))},
		"ReturnDuringBuy":         {append(sale(0, "o1", ann), under("o1", call(1, Return, ann, Done)), call(3, Reserve, bob, Done)), end(heldBy(bob))},
		"UnknownReturnRunsLater":  {slices.Concat([]Call{under("o1", call(-1, Return, ann, Unknown))}, sale(0, "o1", ann), sale(600, "o2", bob)), end(soldUnder("o2", bob))},
		"UnknownReturnNotRun":     {append(sale(0, "o1", ann), under("o1", call(4, Return, ann, Unknown)), refused(call(9, Reserve, bob, Refused), sold)), end(soldUnder("o1", ann))},
		"ReturnNotRun":            {append(sale(0, "o1", ann), under("o1", call(4, Return, ann, NotRun))), end(soldUnder("o1", ann))},
		"RetriedReturnRefused":    {append(sale(0, "o1", ann), refused(lateReturn, reserved("1A")), call(5, Reserve, bob, Done)), end(heldBy(bob))},
		"RetriedBuyRefused":       {[]Call{call(0, Reserve, ann, Done), refused(lateBuy, seatlock.Seat{ID: "1A"}), refused(call(6, Reserve, bob, Refused), sold), under("o1", call(8, Return, ann, Done))}, end()},
		"PartOfGroupReturned":     {append(sale(0, "o1", ann, "1A", "1B"), under("o1", call(4, Return, ann, Done))), end(State{}, soldUnder("o1", ann))},
		"GroupReturnedRestSold":   {slices.Concat(sale(0, "o1", ann, "1A", "1B"), []Call{under("o1", call(4, Return, ann, Unknown, "1A", "1B"))}, sale(6, "o1", ann, "1B")), end(State{}, soldUnder("o1", ann))},
		"OtherOrderRefused":       {append(sale(0, "o1", ann), refused(under("o2", call(1, Buy, ann, Refused)), yours)), end(soldUnder("o1", ann))},
		"OtherOrderAfterReturn":   {append(sale(0, "o1", ann), under("o1", call(4, Return, ann, Done)), call(6, Reserve, ann, Done), under("o2", call(8, Buy, ann, Done))), end(soldUnder("o2", ann))},
		"Exchanged":               {append(sale(0, "o1", ann), exchange(4, Done, "1A", "1B"), call(6, Reserve, bob, Done)), end(heldBy(bob), soldUnder("o1", ann))},
		"ExchangedToOwnHold":      {append(sale(0, "o1", ann), call(2, Reserve, ann, Done, "1B"), exchange(4, Done, "1A", "1B")), end(State{}, soldUnder("o1", ann))},
		"ExchangedBack":           {append(sale(0, "o1", ann), exchange(4, Done, "1A", "1B"), exchange(6, Done, "1B", "1A")), end(soldUnder("o1", ann))},
		"ExchangedAndReturned":    {append(sale(0, "o1", ann), exchange(4, Done, "1A", "1B"), under("o1", call(6, Return, ann, Done, "1B"))), end()},
		"ExchangeRepeated":        {slices.Concat(sale(0, "o1", ann), []Call{exchange(4, Done, "1A", "1B")}, sale(6, "o2", bob), []Call{exchange(9, Done, "1A", "1B")}), end(soldUnder("o2", bob), soldUnder("o1", ann))},
		"RepeatLeavesOwnHold":     {slices.Concat(sale(0, "o1", ann, "1B"), []Call{call(2, Reserve, ann, Done), exchange(4, Done, "1A", "1B"), under("o1", call(6, Buy, ann, Done))}), end(soldUnder("o1", ann), soldUnder("o1", ann))},
		"RetriedExchangeRefused":  {slices.Concat(sale(0, "o1", ann), []Call{refused(lateExchange, seatlock.Seat{ID: "1B", Status: seatlock.Sold})}, sale(5, "o1", ann)), end(soldUnder("o1", ann), soldUnder("o1", ann))},
		"UnknownExchange":         {append(sale(0, "o1", ann), exchange(4, Unknown, "1A", "1B")), end(State{}, soldUnder("o1", ann))},
		"UnknownExchangeNotRun":   {append(sale(0, "o1", ann), exchange(4, Unknown, "1A", "1B")), end(soldUnder("o1", ann))},
		"ExchangeToSoldRefused":   {slices.Concat(sale(0, "o1", ann), sale(2, "o2", bob, "1B"), []Call{refused(exchange(6, Refused, "1A", "1B"), seatlock.Seat{ID: "1B", Status: seatlock.Sold})}), end(soldUnder("o1", ann), soldUnder("o2", bob))},
		"ExchangeOfOtherRefused":  {append(sale(0, "o2", ann), refused(exchange(6, Refused, "1A", "1B"), yours)), end(soldUnder("o2", ann))},
		"UnknownUsers":            {[]Call{call(0, Reserve, ann, Done), call(2, Buy, ann, Done)}, end(State{Status: seatlock.Sold})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, Check(History{Calls: test.calls, HoldTime: hold, Opening: opening}, test.end))
		})
	}
}

// Check's time grows about linearly with the history, though all calls are for one seat.
func BenchmarkCheck(b *testing.B) {
	for _, users := range []int{8, 100_000} {
		b.Run(fmt.Sprint(users, " users"), func(b *testing.B) {
			var calls []Call
			for i := range 1_000_000 {
				op := []Op{Reserve, Extend, Release, Buy, Return}[i%5]
				calls = append(calls, under(fmt.Sprint("order", i%3), call(i, op, fmt.Sprint("user", i%users), Unknown)))
			}
			for b.Loop() {
				Check(History{Calls: calls, HoldTime: hold}, Final{})
			}
		})
	}
}
