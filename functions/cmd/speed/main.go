// Command speed measures the CPU time of a call, and compares it with a server that
// does nothing (the no-op).
//
// It starts a redis-server, the service and the no-op as processes with one CPU each,
// and loads them in turn, round by round. It reads their CPU time from the kernel, and
// reports the median of the rounds' ratios. Other work on the machine changes the calls
// per second a lot, but these ratios only a little.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit statuses.
const (
	statusDone   = 0
	statusFailed = 1
	statusUsage  = 2 // the flags can't be used, or a program is missing
)

func main() {
	serveAsChild()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	status := realMain(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// realMain writes the result to stdout, and everything else to stderr.
func realMain(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return statusDone
	}
	if err == nil {
		err = run(ctx, o, stdout, stderr)
	}
	if err == nil {
		return statusDone
	}
	fmt.Fprintf(stderr, "speed: %v\n", err)
	if usage := (usageError{}); errors.As(err, &usage) {
		return statusUsage
	}
	return statusFailed
}

// run measures, and writes the result.
func run(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	result, err := measure(ctx, o, stderr)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil {
		return err
	}
	if o.svg != "" {
		svg, err := result.chart()
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.svg, svg, 0o644); err != nil {
			return err
		}
	}
	if o.json {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		err = e.Encode(result)
	} else {
		err = result.write(stdout)
	}
	if err == nil && o.store != "" {
		err = result.store(o.store)
	}
	if err == nil && o.baseline != "" {
		err = result.compare(o.baseline, stderr)
	}
	return err
}
