package faults_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// What goes to Redis and what comes back gets lost, is cut off and stalls, some of it
// for longer than a call waits.
func TestLostRepliesResetsAndStalls(t *testing.T) {
	const timeout = time.Second
	r := redistest.Server(t)
	var all []*seatlock.Locker
	var proxies []*redistest.Proxy
	for range 2 {
		proxy := redistest.NewProxy(t, r)
		locker, err := seatlock.New(r.Client(t, proxy.Addr), seatlock.Options{HoldTime: holdTime, Timeout: timeout})
		require.NoError(t, err)
		proxies, all = append(proxies, proxy), append(all, locker)
	}
	var counts tally
	counts.report(t)
	rounds(t, 3, func(n int) {
		for i, proxy := range proxies {
			choice := random(n, i)
			stalled := false
			proxy.Disturb(func(bool) redistest.Fault {
				switch p := choice.IntN(1000); {
				case p < 20:
					counts.faults.Add(1)
					return redistest.Fault{Lose: true}
				case p < 40:
					return redistest.Fault{Stall: time.Duration(choice.IntN(20)) * time.Millisecond}
				case p < 45 && !stalled:
					stalled = true // so long that a round has time for one
					counts.faults.Add(1)
					return redistest.Fault{Stall: timeout + timeout/4}
				}
				return redistest.Fault{}
			})
		}
		c := gather(t, n, buyers, &counts, nil, all...)
		c.awaitDone(400)
		for _, proxy := range proxies {
			proxy.Disturb(nil)
		}
		c.requireNothingBroken(holdTime, r.Admin(t))
	})
	require.Positive(t, counts.unknown.Load(), "no call's outcome was unknown")
}
