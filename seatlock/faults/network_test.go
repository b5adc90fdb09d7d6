package faults_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// Requests and replies are lost, delayed, and their connections are cut. Then everything
// is delayed for longer than a call's timeout, until the outcome of a call is unknown.
func TestNetworkFaults_LoseNoSale(t *testing.T) {
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
	var counts counters
	counts.report(t)
	rounds(t, 3, func(n int) {
		var stalls atomic.Bool
		for i, proxy := range proxies {
			choice := random(n, i)
			proxy.Disturb(func(bool) redistest.Fault {
				switch p := choice.IntN(1000); {
				case stalls.Load():
					counts.faults.Add(1)
					return redistest.Fault{Stall: timeout + timeout/4}
				case p < 20:
					counts.faults.Add(1)
					return redistest.Fault{Lose: true}
				case p < 40:
					return redistest.Fault{Stall: time.Duration(choice.IntN(20)) * time.Millisecond}
				}
				return redistest.Fault{}
			})
		}
		l := startLoad(t, n, buyers, &counts, nil, all...)
		l.awaitDone(200)
		before := counts.unknown.Load()
		stalls.Store(true)
		require.Eventually(t, func() bool { return counts.unknown.Load() > before }, waitLimit, time.Millisecond, "no call's outcome is unknown")
		stalls.Store(false)
		l.awaitDone(200)
		for _, proxy := range proxies {
			proxy.Disturb(nil)
		}
		l.requireNoFindings(holdTime, r.Admin(t))
	})
}
