// Command rush simulates an on-sale: thousands of buyers want the same seats at the
// same time. It loads a service that it starts itself, or the one that -url names. Then
// it audits the seats and judges every answer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"booking/functions/cmd/internal/child"
	"booking/functions/internal/logging"
	"booking/seatlock/redistest/redisserver"
)

// The exit statuses.
const (
	statusKept   = 0 // all promises were kept
	statusBroken = 1 // a promise was broken, or the run failed
	statusUsage  = 2 // the flags, or the service that they name, can't be used
)

func main() {
	child.Serve("rush")
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		redisserver.StopAll()
		fmt.Fprintln(os.Stderr, "rush: stopped by a second signal; nothing was judged")
		os.Exit(statusBroken)
	}()
	logging.Setup(os.Stderr, slog.LevelError)
	os.Exit(realMain(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// realMain writes the result to stdout, and everything else to stderr.
func realMain(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) int {
	o, err := parse(args, env, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return statusKept
	}
	if err == nil {
		err = run(ctx, o, stdout, stderr)
	}
	switch {
	case err == nil:
		return statusKept
	case errors.Is(err, errPromiseBroken):
		return statusBroken
	}
	fmt.Fprintf(stderr, "rush: %v\n", err)
	if usage := (usageError{}); errors.As(err, &usage) {
		return statusUsage
	}
	return statusBroken
}
