// Package service puts together what both commands run the functions on.
package service

import (
	"log/slog"

	"booking/functions/internal/config"
	"booking/functions/internal/readiness"
	"booking/functions/internal/redisclient"
	"booking/seatlock"
)

// Service is a Locker over the configured Redis, and the Monitor of both.
type Service struct {
	Locker  *seatlock.Locker
	Monitor *readiness.Monitor
	close   []func()
}

// Open connects to the Redis that c names, or starts the embedded one where it
// names none. A Redis that is down fails nothing: the Monitor tells.
func Open(c *config.Config) (*Service, error) {
	s := &Service{}
	url, embedded := c.RedisURL, c.RedisURL == ""
	if embedded {
		var closeRedis func()
		var err error
		if url, closeRedis, err = redisclient.Embed(); err != nil {
			return nil, err
		}
		s.close = append(s.close, closeRedis)
		slog.Warn("REDIS_URL is not set: seats are kept in this process and are lost when it ends")
	}
	client, err := redisclient.Open(c.RedisMode, url, c.RequestTimeout)
	if err != nil {
		s.Close()
		return nil, err
	}
	s.close = append(s.close, func() { _ = client.Close() })
	s.Locker, err = seatlock.New(client, seatlock.Options{HoldTime: c.HoldTTL, MaxHoldTime: c.MaxHold, Timeout: c.RequestTimeout})
	if err != nil {
		s.Close()
		return nil, err
	}
	s.Monitor = readiness.New(s.Locker.Check)
	if embedded { // it has no settings to check
		s.Monitor = readiness.New(s.Locker.Ping)
	}
	return s, nil
}

// Close ends the connections, last opened first.
func (s *Service) Close() {
	for i := len(s.close) - 1; i >= 0; i-- {
		s.close[i]()
	}
}
