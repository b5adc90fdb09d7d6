package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// story is what the command prints.
type story struct {
	out      io.Writer
	path     string // of the file of orders
	provider *FakePayments
	booking  *Booking
	isTold   bool   // booking sends the changes to this program
	secret   string // of booking's relay
	shop     *Shop
	receiver atomic.Pointer[Receiver] // of the shop; nil before it starts, or if booking sends no changes
	stop     func()                   // stops Watch; nil without a receiver
	reports  chan report
}

// report is what Reconcile found.
type report struct {
	corrected []Order
	unknown   []string
}

// tell tells the whole story. The seats 1A to 1D must be free.
func (s *story) tell(ctx context.Context) error {
	for _, scene := range []func(context.Context) error{
		s.open, s.purchase, s.doubleClick, s.decline, s.crash, s.refund, s.reconcile,
	} {
		if err := scene(ctx); err != nil {
			return err
		}
	}
	return s.end()
}

func (s *story) open(ctx context.Context) error {
	if err := s.booking.Create(ctx, "1-1:A-D"); err != nil {
		return fmt.Errorf("put the event %s: %w", s.booking.Event, err)
	}
	for seat, user := range map[string]string{"1A": "ann", "1B": "bob", "1C": "cem", "1D": "dot"} {
		if err := s.booking.Reserve(ctx, user, seat); err != nil {
			return fmt.Errorf("reserve %s of the event %s: %w", seat, s.booking.Event, err)
		}
	}
	s.say("Ann, Bob, Cem and Dot hold the seats 1A to 1D of the event %s, and go to the checkout.", s.booking.Event)
	return s.start(ctx)
}

// start starts the shop, as after a crash: it has only the file of orders.
func (s *story) start(ctx context.Context) error {
	orders, err := OpenOrders(s.path)
	if err != nil {
		return err
	}
	s.shop = &Shop{Orders: orders, Payments: s.provider, Booking: s.booking, Retry: time.Second, Timeout: 30 * time.Second}
	if !s.isTold {
		return nil
	}
	receiver, err := NewReceiver(s.shop, s.secret)
	if err != nil {
		return fmt.Errorf("SINK_SECRET: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	reports, ended := make(chan report, 1000), make(chan struct{}) // more than there are changes
	go func() {
		defer close(ended)
		receiver.Watch(ctx, func(corrected []Order, unknown []string, _ error) { reports <- report{corrected, unknown} })
	}()
	s.receiver.Store(receiver)
	s.reports, s.stop = reports, func() { cancel(); <-ended }
	return nil
}

// end ends the shop.
func (s *story) end() error {
	if s.stop != nil {
		s.stop()
	}
	return s.shop.Orders.Close()
}

// ServeHTTP receives the changes for the shop.
func (s *story) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if receiver := s.receiver.Load(); receiver != nil {
		receiver.ServeHTTP(w, req)
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable) // the relay sends them again
}

func (s *story) purchase(ctx context.Context) error {
	s.say("1. Ann buys 1A: authorize, buy, capture.")
	o, err := s.shop.Checkout(ctx, "order-1", "ann", []string{"1A"}, 4500)
	return s.show(ctx, o, err)
}

func (s *story) doubleClick(ctx context.Context) error {
	s.say("2. Bob buys 1B with a double click. Both clicks have the same order.")
	var clicks sync.WaitGroup
	var orders [2]Order
	var errs [2]error
	for i := range orders {
		clicks.Go(func() { orders[i], errs[i] = s.shop.Checkout(ctx, "order-2", "bob", []string{"1B"}, 4500) })
	}
	clicks.Wait()
	return errors.Join(s.show(ctx, orders[0], errs[0]), s.show(ctx, orders[1], errs[1]))
}

func (s *story) decline(ctx context.Context) error {
	s.say("3. Dot wants 1D, but her card is declined.")
	s.provider.Decline("authorize", "order-3")
	o, err := s.shop.Checkout(ctx, "order-3", "dot", []string{"1D"}, 4500)
	return s.show(ctx, o, err)
}

// powerCut is a provider that takes the shop down when it should capture.
type powerCut struct{ Payments }

func (powerCut) Capture(context.Context, string) error { panic("power cut") }

func (s *story) crash(ctx context.Context) error {
	s.say("4. Cem buys 1C. The shop crashes before it captures the money.")
	s.shop.Payments = powerCut{s.provider}
	func() {
		defer func() { _ = recover() }()
		_, _ = s.shop.Checkout(ctx, "order-4", "cem", []string{"1C"}, 4500)
	}()
	if err := s.show(ctx, s.shop.Orders.Get("order-4"), nil); err != nil {
		return err
	}
	s.say("   A new shop reads the file of orders, and goes on.")
	if err := errors.Join(s.end(), s.start(ctx)); err != nil {
		return err
	}
	err := s.shop.Resume(ctx)
	return s.show(ctx, s.shop.Orders.Get("order-4"), err)
}

func (s *story) refund(ctx context.Context) error {
	s.say("5. Ann wants her money back: return, refund.")
	o, err := s.shop.Refund(ctx, "order-1")
	return s.show(ctx, o, err)
}

func (s *story) reconcile(ctx context.Context) error {
	s.say("6. The box office returns 1B by hand, and sells 1D. %s compares its orders with booking's sales.", map[bool]string{
		true: "booking tells the shop, which", false: "The shop"}[s.isTold])
	err := errors.Join(
		s.booking.Return(ctx, Order{ID: "order-2", User: "bob", Seats: []string{"1B"}}),
		s.booking.Buy(ctx, Order{ID: "box-office-7", User: "dot", Seats: []string{"1D"}}),
	)
	if err != nil {
		return err
	}
	found, err := s.found(ctx)
	for _, o := range found.corrected {
		err = s.show(ctx, o, err)
	}
	s.say("   Sold, but not by this shop: %s. It leaves that to a person.", strings.Join(found.unknown, " "))
	return err
}

// found returns what Reconcile finds, when it has corrected an order and found a sale that is not
// the shop's.
func (s *story) found(ctx context.Context) (all report, err error) {
	if !s.isTold {
		all.corrected, all.unknown, err = s.shop.Reconcile(ctx)
		return all, err
	}
	timeout := time.After(s.shop.Timeout)
	for len(all.corrected) == 0 || len(all.unknown) == 0 {
		select {
		case r := <-s.reports:
			all.corrected, all.unknown = append(all.corrected, r.corrected...), r.unknown
		case <-timeout:
			return all, errors.New("booking did not tell the shop: is its SINK_URL the address of -listen?")
		case <-ctx.Done():
			return all, ctx.Err()
		}
	}
	return all, nil
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// show writes an order, its charge and its sold seats, unless there is an error.
func (s *story) show(ctx context.Context, o Order, err error) error {
	if err != nil {
		return err
	}
	sold, err := s.booking.Sold(ctx)
	if err != nil {
		return err
	}
	maps.DeleteFunc(sold, func(_, order string) bool { return order != o.ID })
	s.say("   %s: %-10s charge: %-10s sold seats: %v", o.ID, o.State, s.provider.Charge(o.ID), slices.Sorted(maps.Keys(sold)))
	return nil
}
