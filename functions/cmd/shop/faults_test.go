package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// fault is what a network does at a point.
type fault int

const (
	noFault fault = iota
	loseIt        // the call before it is sent, or its answer. An answer after the timeout is lost, too
	crash         // the shop ends
)

var (
	errLost    = errors.New("no answer")
	errCrashed = errors.New("the shop has crashed")
)

// network is between a shop and the world. Each call has two points: before it is sent, and after
// it was answered.
type network struct {
	mu     sync.Mutex
	points int
	dead   bool                  // the shop has crashed: each of its goroutines ends at its next point
	fault  func(point int) fault // of points 1, 2, …; nil: none
	sent   func(*http.Request)   // sees each call to booking; may be nil
}

// pass passes a point. It panics with errCrashed in a shop that has crashed.
func (n *network) pass() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.points++
	if !n.dead && n.fault != nil {
		switch n.fault(n.points) {
		case loseIt:
			return errLost
		case crash:
			n.dead = true
		}
	}
	if n.dead {
		panic(errCrashed)
	}
	return nil
}

// call makes a call through the network.
func (n *network) call(f func() error) error {
	if err := n.pass(); err != nil {
		return err
	}
	answer := f()
	if err := n.pass(); err != nil {
		return err
	}
	return answer
}

// RoundTrip is of http.RoundTripper. A call that was lost is answered by a gateway, every other
// time.
func (n *network) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	if n.sent != nil {
		n.sent(req)
	}
	err = n.call(func() error {
		var body []byte
		resp, err = http.DefaultTransport.RoundTrip(req)
		if err == nil { // read it all, because a crash would leave it open
			body, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			resp.Body = io.NopCloser(strings.NewReader(string(body)))
		}
		return err
	})
	if errors.Is(err, errLost) && req.ContentLength%2 == 0 {
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Status: "503 Service Unavailable", Body: io.NopCloser(strings.NewReader("<html>")), Request: req}, nil
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// payments is a provider behind a network.
type payments struct {
	*FakePayments
	*network
}

func (p payments) Authorize(ctx context.Context, order string, cents int) error {
	return p.call(func() error { return p.FakePayments.Authorize(ctx, order, cents) })
}

func (p payments) Capture(ctx context.Context, order string) error {
	return p.call(func() error { return p.FakePayments.Capture(ctx, order) })
}

func (p payments) Void(ctx context.Context, order string) error {
	return p.call(func() error { return p.FakePayments.Void(ctx, order) })
}

func (p payments) Refund(ctx context.Context, order string) error {
	return p.call(func() error { return p.FakePayments.Refund(ctx, order) })
}
