package seatlock

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// Subscription tells which events have changed.
type Subscription struct {
	pubsub *redis.PubSub
	events chan string
}

// Subscribe returns a Subscription to the changes of no event; see Add. It occupies a
// connection to Redis, which it opens again after a fault. Close ends it.
func (l *Locker) Subscribe() *Subscription {
	s := &Subscription{pubsub: l.client.Subscribe(context.Background()), events: make(chan string)}
	messages := s.pubsub.ChannelWithSubscriptions()
	go func() {
		defer close(s.events)
		for m := range messages {
			switch m := m.(type) {
			case *redis.Message:
				s.events <- eventOfChanges(m.Channel)
			case *redis.Subscription: // what came before it was missed
				if m.Kind == "subscribe" {
					s.events <- eventOfChanges(m.Channel)
				}
			}
		}
	}()
	return s
}

// Add subscribes to an event. An error means only that Redis does not answer: the
// subscription begins when it does.
func (s *Subscription) Add(ctx context.Context, event string) error {
	return s.pubsub.Subscribe(ctx, changesKey(event))
}

// Remove ends the subscription to an event.
func (s *Subscription) Remove(ctx context.Context, event string) error {
	return s.pubsub.Unsubscribe(ctx, changesKey(event))
}

// Events receives an event when its first change after 10 ms without one has come, and when
// the subscription to it begins or begins again. After an event was received, Refresh its
// View until 10 ms passed without a change. A message can be lost with the connection.
func (s *Subscription) Events() <-chan string { return s.events }

// Close ends the Subscription. Receive from Events until it is closed.
func (s *Subscription) Close() error {
	err := s.pubsub.Close()
	if errors.Is(err, redis.ErrClosed) {
		return nil
	}
	return err
}
