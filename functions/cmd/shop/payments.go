package main

import (
	"context"
	"sync"
)

// Payments is a payment provider. Every call may be repeated: the order's ID is its idempotency
// key. A *Refusal says no, for good. Any other error leaves the outcome unknown.
type Payments interface {
	Authorize(ctx context.Context, order string, cents int) error // sets the money aside
	Capture(ctx context.Context, order string) error              // takes it
	Void(ctx context.Context, order string) error                 // sets it free, if it was set aside
	Refund(ctx context.Context, order string) error               // gives back what was captured
}

// FakePayments is a provider without money.
type FakePayments struct {
	mu       sync.Mutex
	charges  map[string]string // order -> declined, authorized, captured, voided or refunded
	declines map[string]string // order -> the call that is refused
}

// NewFakePayments returns a provider that accepts every card.
func NewFakePayments() *FakePayments {
	return &FakePayments{charges: map[string]string{}, declines: map[string]string{}}
}

// Decline makes the provider refuse a call, authorize or capture, for an order.
func (f *FakePayments) Decline(call, order string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.declines[order] = call
}

// Charge returns the state of the charge of an order, empty if it has none.
func (f *FakePayments) Charge(order string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.charges[order]
}

// Authorize is of Payments. A repeat gets the first answer, whatever has happened since.
func (f *FakePayments) Authorize(_ context.Context, order string, _ int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.declines[order] == "authorize" {
		f.charges[order] = "declined"
		return &Refusal{Code: "card_declined"}
	}
	if f.charges[order] == "" {
		f.charges[order] = "authorized"
	}
	return nil
}

// Capture is of Payments.
func (f *FakePayments) Capture(_ context.Context, order string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.declines[order] == "capture" {
		return &Refusal{Code: "authorization_expired"}
	}
	return f.move(order, "authorized", "captured")
}

// Void is of Payments.
func (f *FakePayments) Void(_ context.Context, order string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if state := f.charges[order]; state == "" || state == "declined" {
		return nil
	}
	return f.move(order, "authorized", "voided")
}

// Refund is of Payments.
func (f *FakePayments) Refund(_ context.Context, order string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.move(order, "captured", "refunded")
}

// move changes the state of a charge. It does nothing if it has that state already.
func (f *FakePayments) move(order, from, to string) error {
	switch f.charges[order] {
	case from:
		f.charges[order] = to
	case to:
	default:
		return &Refusal{Code: "charge_is_not_" + from}
	}
	return nil
}
