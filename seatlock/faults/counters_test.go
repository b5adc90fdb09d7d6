package faults_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"booking/seatlock"
	"booking/seatlock/oracle"
)

// counters counts rounds, faults, and calls by outcome.
type counters struct {
	rounds, faults                        atomic.Int64
	calls, done, refused, notRun, unknown atomic.Int64
	sales, lost, resold                   atomic.Int64
	returns, exchanges                    atomic.Int64 // of sales that lasted until then
	// Calls that were refused because the seats are sold to the user under another order, and
	// exchanges because another user has the new seats.
	otherBuys, otherReturns, otherExchanges, takenExchanges atomic.Int64
}

// String returns what a test tried and lost.
func (n *counters) String() string {
	return fmt.Sprintf("%d rounds, %d faults; %d calls: %d done, %d refused, %d unavailable, %d unknown; %d seats sold, %d returns, %d exchanges, %d sales lost, %d of these sold again",
		n.rounds.Load(), n.faults.Load(), n.calls.Load(), n.done.Load(), n.refused.Load(), n.notRun.Load(), n.unknown.Load(), n.sales.Load(), n.returns.Load(), n.exchanges.Load(), n.lost.Load(), n.resold.Load())
}

// outages returns how many calls an outage kept from an answer.
func (n *counters) outages() int64 { return n.notRun.Load() + n.unknown.Load() }

// report logs the counters when the test ends.
func (n *counters) report(t *testing.T) {
	t.Cleanup(func() { t.Logf("%s: -seed %d: %v", t.Name(), *seed, n) })
}

func (n *counters) countCall(call oracle.Call) {
	n.calls.Add(1)
	switch call.Outcome {
	case oracle.Done:
		n.done.Add(1)
	case oracle.Refused:
		n.refused.Add(1)
		isOther := slices.ContainsFunc(call.Conflicts, func(s seatlock.Seat) bool { return s.OwnedByCaller })
		switch {
		case isOther && call.Op == oracle.Buy:
			n.otherBuys.Add(1)
		case isOther && call.Op == oracle.Return:
			n.otherReturns.Add(1)
		case isOther && call.Op == oracle.Exchange:
			n.otherExchanges.Add(1)
		case call.Op == oracle.Exchange && slices.Contains(call.To, call.Conflicts[0].ID):
			n.takenExchanges.Add(1)
		}
	case oracle.NotRun:
		n.notRun.Add(1)
	case oracle.Unknown:
		n.unknown.Add(1)
	}
}

// countLost counts the seats whose acknowledged sale was lost.
func (n *counters) countLost(findings []oracle.Finding) {
	for _, f := range findings {
		switch f.Promise {
		case oracle.SalesLast:
			n.lost.Add(1)
		case oracle.OneBuyer:
			n.resold.Add(1)
		}
	}
}
