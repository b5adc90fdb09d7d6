package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"booking/functions/cmd/rush/internal/client"
	"booking/functions/cmd/rush/internal/report"
	"booking/seatlock/redistest/redisserver"
)

// The faults that -chaos names.
const (
	faultKill  = "kill"  // a crash, followed by a restart on the same files
	faultStall = "stall" // no answers for stallTime
	faultFlush = "flush" // SCRIPT FLUSH
)

var faultNames = []string{faultKill, faultStall, faultFlush}

// stallTime is how long a stall lasts: longer than the service waits for Redis.
const stallTime = 1500 * time.Millisecond

type scheduledFault struct {
	name string
	at   time.Duration
}

// scheduleFaults spreads six faults over the middle of a run, the names in turn.
func scheduleFaults(seed uint64, names []string, run time.Duration) []scheduledFault {
	if len(names) == 0 {
		return nil
	}
	r := rand.New(rand.NewPCG(seed, 1))
	faults := make([]scheduledFault, 6)
	for i := range faults {
		at := (float64(i) + 0.5 + 0.5*r.Float64()) / float64(len(faults)+2)
		faults[i] = scheduledFault{names[i%len(names)], time.Duration(at * float64(run))}
	}
	return faults
}

// injectFaults injects each fault when it is due, until ctx ends. It returns those that
// it injected.
func injectFaults(ctx context.Context, server *redisserver.Server, clock *client.Client, faults []scheduledFault, stderr io.Writer) (injected []report.Fault) {
	for _, f := range faults {
		if !clock.Sleep(ctx, f.at) {
			break
		}
		injected = append(injected, report.Fault{Name: f.name, At: clock.Now().Seconds()})
		if err := inject(ctx, server, f.name); err != nil {
			fmt.Fprintf(stderr, "rush: %s: %v\n", f.name, err)
		}
	}
	return injected
}

// inject injects a fault, and returns when it is over.
func inject(ctx context.Context, server *redisserver.Server, name string) error {
	switch name {
	case faultKill:
		return server.Restart(context.WithoutCancel(ctx))
	case faultStall:
		if err := server.Pause(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(stallTime):
		}
		return server.Resume()
	case faultFlush:
		return server.Client.ScriptFlush(ctx).Err()
	}
	return fmt.Errorf("unknown fault %q", name)
}
