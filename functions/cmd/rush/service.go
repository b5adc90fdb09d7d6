package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"booking/functions/cmd/internal/child"
	"booking/seatlock/redistest/redisserver"
)

// target is the service that gets the load.
type target struct {
	url, name, redisName string
	redis                *redisserver.Server  // nil unless -chaos is set
	stop                 func() time.Duration // ends the service and returns its CPU time; 0 if rush did not start it
	close                func()               // ends everything that rush started
}

// openTarget returns the service that -url names, or starts one.
func openTarget(ctx context.Context, o *options) (*target, error) {
	if o.url != "" {
		return &target{url: o.url, name: o.url, redisName: "its own", stop: func() time.Duration { return 0 }, close: func() {}}, nil
	}
	t := &target{name: "started by rush, in a process of its own", redisName: "miniredis, inside the service"}
	var env []string
	stopRedis := func() {}
	if len(o.faults) > 0 {
		server, err := redisserver.Start(ctx, redisserver.Options{NewProcessGroup: true, Args: []string{
			"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"}})
		if errors.Is(err, redisserver.ErrNotFound) {
			return nil, usageErrorf("-chaos: %v, or leave -chaos out", err)
		}
		if err != nil {
			return nil, err
		}
		t.redis, stopRedis = server, server.Stop
		t.redisName = fmt.Sprintf("%s %s, appendfsync always", server.Name, server.Version)
		env = append(env, "REDIS_URL="+server.URL(), "REQUEST_TIMEOUT="+(stallTime/2).String())
	}
	env = append(env, "MAX_CONNECTIONS="+strconv.Itoa(o.connections+o.watchers+1000), "MAX_STREAMS="+strconv.Itoa(o.watchers+500)) // more than needed
	service, err := child.Start(env...)
	if err != nil {
		stopRedis()
		return nil, err
	}
	t.url = service.URL
	t.stop = sync.OnceValue(func() time.Duration {
		ended := service.Stop()
		return ended.UserTime() + ended.SystemTime()
	})
	t.close = func() {
		t.stop()
		stopRedis()
	}
	return t, nil
}
