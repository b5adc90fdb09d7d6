package seatlock

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Ping reports whether Redis answers: nil or ErrUnavailable.
func (l *Locker) Ping(ctx context.Context) error {
	err := l.try(ctx, ErrUnavailable, func(deadline time.Time) error {
		return l.do(ctx, deadline, redis.NewStatusCmd(ctx, "ping"))
	})
	if err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	return nil
}

// Check reports whether Redis answers and keeps what it is given: it fails with
// ErrUnavailable, or with ErrUnsafe and the setting to change. Every policy but
// noeviction frees seats when memory is full: allkeys-* sold ones, volatile-*
// held ones (https://redis.io/docs/latest/develop/reference/eviction/); a replica
// takes no writes. Where Options.Durable is set, it must write each sale to the
// append-only file before it answers; that it reads with CONFIG GET.
func (l *Locker) Check(ctx context.Context) error {
	if err := l.Ping(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, l.opt.Timeout)
	defer cancel()
	if cluster, ok := l.client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
			return l.inspect(ctx, master)
		})
	}
	return l.inspect(ctx, l.client)
}

func (l *Locker) inspect(ctx context.Context, server Client) error {
	info, err := server.Info(ctx, "memory", "replication", "persistence").Result()
	if err != nil {
		return fmt.Errorf("%w: info: %w", ErrUnavailable, err)
	}
	for _, want := range []struct {
		field, value, name, advice string
		wanted                     bool
	}{
		{"maxmemory_policy", "noeviction", "maxmemory-policy", "set it to noeviction", true},
		{"role", "master", "role", "give the address of the primary", true},
		{"aof_enabled", "1", "aof_enabled", "set appendonly to yes", l.opt.Durable},
		{"aof_last_write_status", "ok", "aof_last_write_status", "see its log: it can't write the append-only file", l.opt.Durable},
	} {
		if value := infoField(info, want.field); want.wanted && value != want.value {
			return fmt.Errorf("%w: %s is %q, %s", ErrUnsafe, want.name, value, want.advice)
		}
	}
	if !l.opt.Durable {
		return nil
	}
	settings, err := server.ConfigGet(ctx, "appendfsync").Result()
	if _, refused := err.(redis.Error); err != nil && !refused {
		return fmt.Errorf("%w: config get: %w", ErrUnavailable, err)
	}
	if err != nil {
		return fmt.Errorf("%w: appendfsync can't be read, allow its user +config|get: %w", ErrUnsafe, err)
	}
	if value := settings["appendfsync"]; value != "always" {
		return fmt.Errorf("%w: appendfsync is %q, set it to always", ErrUnsafe, value)
	}
	return nil
}

// infoField returns the value of a field of INFO, or "".
func infoField(info, field string) string {
	_, rest, _ := strings.Cut("\r\n"+info, "\r\n"+field+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}
