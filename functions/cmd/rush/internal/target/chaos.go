package target

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Fault is something that can happen to a Redis.
type Fault string

// The faults.
const (
	Kill  Fault = "kill"  // a crash, and a start on what is on disk
	Stall Fault = "stall" // no answer for a while, longer than the service waits
	Flush Fault = "flush" // every script forgotten
)

// Faults lists them all.
var Faults = []Fault{Kill, Stall, Flush}

// StallTime is how long a stall lasts.
const StallTime = 1500 * time.Millisecond

// Strike is a Fault and when it is due.
type Strike struct {
	Fault Fault
	At    time.Duration
}

// Strikes spreads faults, in turn, over the middle of a run.
func Strikes(seed uint64, faults []Fault, run time.Duration) []Strike {
	if len(faults) == 0 {
		return nil
	}
	r := rand.New(rand.NewPCG(seed, 1))
	const n = 6
	strikes := make([]Strike, n)
	for i := range strikes {
		at := (float64(i) + 0.5 + 0.5*r.Float64()) / (n + 2)
		strikes[i] = Strike{faults[i%len(faults)], time.Duration(at * float64(run))}
	}
	return strikes
}

// Strike makes a fault happen, and returns when it is over.
func (r *Redis) Strike(ctx context.Context, fault Fault) error {
	switch fault {
	case Kill:
		r.kill()
		return r.start(context.WithoutCancel(ctx))
	case Stall:
		if err := pause(r.cmd.Process); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(StallTime):
		}
		return resume(r.cmd.Process)
	case Flush:
		return r.client.ScriptFlush(ctx).Err()
	}
	return fmt.Errorf("no fault %q", fault)
}
