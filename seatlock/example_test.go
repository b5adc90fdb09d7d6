package seatlock_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"booking/seatlock"
)

// newExample returns a Locker over a Redis of its own, for the examples.
func newExample() (*seatlock.Locker, func()) {
	server, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true})
	locker, err := seatlock.New(client, seatlock.Options{})
	if err != nil {
		panic(err)
	}
	return locker, func() { _ = client.Close(); server.Close() }
}

// Two seats are held for five minutes, then sold.
func Example() {
	locker, closeAll := newExample()
	defer closeAll()
	ctx := context.Background()
	seats := []string{"1A", "1B"}

	hold, err := locker.Reserve(ctx, seatlock.DefaultEvent, seats, "user_123")
	fmt.Println(hold.ExpiresIn, err)
	fmt.Println(locker.Buy(ctx, seatlock.DefaultEvent, seats, "user_123"))
	seat, err := locker.Status(ctx, seatlock.DefaultEvent, "1A")
	fmt.Println(seat.Status, err)
	// Output:
	// 5m0s <nil>
	// <nil>
	// Sold <nil>
}

// A refusal names the seats that stood in the way.
func ExampleConflictError() {
	locker, closeAll := newExample()
	defer closeAll()
	ctx := context.Background()
	_, _ = locker.Reserve(ctx, "gala", []string{"1B"}, "user_123")

	_, err := locker.Reserve(ctx, "gala", []string{"1A", "1B"}, "user_456")
	var conflict *seatlock.ConflictError
	if errors.As(err, &conflict) {
		fmt.Println(errors.Is(err, seatlock.ErrTaken), conflict.Seats[0].ID, conflict.Seats[0].Status)
	}
	// Output:
	// true 1B Reserved
}

// After ErrOutcomeUnknown the same call, sent again, settles what happened: it
// never makes a second change.
func ExampleLocker_Buy() {
	locker, closeAll := newExample()
	defer closeAll()
	ctx := context.Background()
	_, _ = locker.Reserve(ctx, "gala", []string{"1A"}, "user_123")

	err := locker.Buy(ctx, "gala", []string{"1A"}, "user_123")
	for errors.Is(err, seatlock.ErrOutcomeUnknown) {
		err = locker.Buy(ctx, "gala", []string{"1A"}, "user_123")
	}
	fmt.Println(err)
	fmt.Println(locker.Buy(ctx, "gala", []string{"1A"}, "user_123"))
	// Output:
	// <nil>
	// <nil>
}
