// Command speed measures what a request costs, beside a server that does nothing.
//
// It starts a redis-server, the service over it, and that server, each a process of
// its own, and loads them in turn, round by round. What counts is the CPU time that
// the kernel notes down for them, the service's and Redis' together, and the median
// of the rounds' ratios: on a machine that has other work to do, both hold where
// requests a second do not.
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
	if doesNothing() {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	status := realMain(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// realMain writes the result to stdout, and all else to stderr.
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
	if usage := (errUsage{}); errors.As(err, &usage) {
		return statusUsage
	}
	return statusFailed
}

// run measures, and tells the result.
func run(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	result, err := measure(ctx, o, stderr)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil {
		return err
	}
	if o.svg != "" {
		picture, err := chart(result)
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.svg, picture, 0o644); err != nil {
			return err
		}
	}
	if o.json {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(result)
	}
	return result.write(stdout)
}
