package seatlock_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"booking/seatlock"
)

// newExample returns a Locker with opt over a Redis of its own, for the other examples.
func newExample(opt seatlock.Options) (*seatlock.Locker, func()) {
	server, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true})
	locker, err := seatlock.New(client, opt)
	if err != nil {
		panic(err)
	}
	return locker, func() { _ = client.Close(); server.Close() }
}

// A user reserves two seats for five minutes, and then buys them.
func Example() {
	locker, closeAll := newExample(seatlock.Options{})
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

// The client must respect contexts and should not retry, because the Locker does.
func ExampleNew() {
	server, err := miniredis.Run() // or a real Redis
	if err != nil {
		panic(err)
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true})
	defer func() { _ = client.Close() }()

	locker, err := seatlock.New(client, seatlock.Options{MaxSeatsPerUser: 4})
	if err != nil {
		panic(err)
	}
	fmt.Println(locker.Ping(context.Background()))

	_, err = seatlock.New(redis.NewClient(&redis.Options{Addr: server.Addr()}), seatlock.Options{})
	fmt.Println(err)
	// Output:
	// <nil>
	// seatlock: invalid argument: calls of the client may outlast their contexts; set ContextTimeoutEnabled
}

// A repeated Reserve keeps the deadline.
func ExampleLocker_Reserve() {
	locker, closeAll := newExample(seatlock.Options{})
	defer closeAll()
	ctx := context.Background()

	first, err := locker.Reserve(ctx, "gala", []string{"1A", "1B"}, "user_123")
	fmt.Println(first.ExpiresIn, err)
	second, err := locker.Reserve(ctx, "gala", []string{"1A", "1B"}, "user_123")
	fmt.Println(second.Deadline.Equal(first.Deadline), err)
	_, err = locker.Reserve(ctx, "gala", []string{"1B", "1C"}, "user_456")
	fmt.Println(errors.Is(err, seatlock.ErrTaken))
	// Output:
	// 5m0s <nil>
	// true <nil>
	// true
}

// Only the user who holds a seat can extend the hold.
func ExampleLocker_Extend() {
	locker, closeAll := newExample(seatlock.Options{})
	defer closeAll()
	ctx := context.Background()
	_, _ = locker.Reserve(ctx, "gala", []string{"1A"}, "user_123")

	hold, err := locker.Extend(ctx, "gala", []string{"1A"}, "user_123")
	fmt.Println(hold.ExpiresIn > 0, err)
	_, err = locker.Extend(ctx, "gala", []string{"1A"}, "user_456")
	fmt.Println(errors.Is(err, seatlock.ErrHeldByOther))
	_, err = locker.Extend(ctx, "gala", []string{"1B"}, "user_123")
	fmt.Println(errors.Is(err, seatlock.ErrHoldExpired))
	// Output:
	// true <nil>
	// true
	// true
}

// After ErrOutcomeUnknown, repeat the call to learn the outcome. It never makes a second
// change.
func ExampleLocker_Buy() {
	locker, closeAll := newExample(seatlock.Options{})
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

// A reader loads the seat map and then reads the changes after it, page by page. After
// ErrReset it loads the seat map again. A View does that by itself.
func ExampleLocker_Changes() {
	locker, closeAll := newExample(seatlock.Options{})
	defer closeAll()
	ctx := context.Background()
	_, _ = locker.Reserve(ctx, "gala", []string{"1A", "1B"}, "user_123")
	_ = locker.Buy(ctx, "gala", []string{"1A"}, "user_123")

	position := "1-0" // from before Redis lost its data
	for {
		changes, err := locker.Changes(ctx, "gala", position, 100)
		switch {
		case errors.Is(err, seatlock.ErrReset):
			seatMap, err := locker.Map(ctx, "gala")
			if err != nil {
				panic(err)
			}
			for _, seat := range seatMap.Seats {
				fmt.Println("map:", seat.ID, seat.Status)
			}
			position = seatMap.Change
			_ = locker.Release(ctx, "gala", []string{"1B"}, "user_123") // a change to read
			continue
		case err != nil:
			panic(err)
		}
		if len(changes) == 0 {
			return
		}
		for _, change := range changes {
			fmt.Println("change:", change.Type, strings.Join(change.SeatIDs, " "))
			position = change.ID
		}
	}
	// Output:
	// map: 1A Sold
	// map: 1B Reserved
	// change: released 1B
}

// A View is loaded once. Each later Refresh reads the changes.
func ExampleView() {
	locker, closeAll := newExample(seatlock.Options{})
	defer closeAll()
	ctx := context.Background()
	_, _ = locker.Reserve(ctx, "gala", []string{"1A", "1B"}, "user_123")
	view, _ := locker.NewView("gala")
	_, _ = view.Refresh(ctx)
	_ = locker.Buy(ctx, "gala", []string{"1A"}, "user_123")

	update, err := view.Refresh(ctx)
	if err != nil {
		panic(err)
	}
	for _, change := range update.Changes {
		fmt.Println("change:", change.Type, strings.Join(change.SeatIDs, " "))
	}
	for seat := range view.Seats() {
		fmt.Println("seat:", seat.ID, seat.Status)
	}
	// Output:
	// change: sold 1A
	// seat: 1A Sold
	// seat: 1B Reserved
}

// A conflict names the seats that caused it.
func ExampleConflictError() {
	locker, closeAll := newExample(seatlock.Options{})
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

// A user with two seats at most holds one and wants two more.
func ExampleLimitError() {
	locker, closeAll := newExample(seatlock.Options{MaxSeatsPerUser: 2})
	defer closeAll()
	ctx := context.Background()
	_, _ = locker.Reserve(ctx, "gala", []string{"1A"}, "user_123")

	_, err := locker.Reserve(ctx, "gala", []string{"1B", "1C"}, "user_123")
	var limit *seatlock.LimitError
	if errors.As(err, &limit) {
		fmt.Println(limit.Limit, limit.Held, limit.Sold)
	}
	// Output:
	// 2 1 0
}
