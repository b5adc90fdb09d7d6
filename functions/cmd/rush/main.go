// Command rush simulates the storm of an on-sale: thousands of buyers after the
// seats of a hall, on a service that it starts itself or on the one that -url names.
// In the end it judges every answer that they got.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"booking/functions/cmd/rush/internal/target"
	"booking/functions/internal/logging"
)

// The exit statuses.
const (
	statusKept   = 0
	statusBroken = 1 // a promise was, or the run failed
	statusUsage  = 2 // the flags, or what they name, can't be used
)

func main() {
	if target.Serves() {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		target.StopAll()
		fmt.Fprintln(os.Stderr, "rush: stopped by a second signal; nothing was judged")
		os.Exit(statusBroken)
	}()
	logging.Setup(os.Stderr, slog.LevelError)
	os.Exit(realMain(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// realMain writes the result to stdout, and all else to stderr.
func realMain(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) int {
	inPod := env("KUBERNETES_SERVICE_HOST") != "" || env("K_SERVICE") != ""
	o, err := parse(args, inPod, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return statusKept
	}
	if err == nil {
		err = run(ctx, o, stdout, stderr)
	}
	switch {
	case err == nil:
		return statusKept
	case errors.Is(err, errBroken):
		return statusBroken
	}
	fmt.Fprintf(stderr, "rush: %v\n", err)
	if usage := (errUsage{}); errors.As(err, &usage) {
		return statusUsage
	}
	return statusBroken
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
