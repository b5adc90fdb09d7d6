// Command booking serves all functions, or the one that FUNCTION_TARGET names. The
// environment configures it; booking --help lists the variables.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"

	"booking/functions/cmd/internal/service"
	"booking/functions/internal/logging"
)

// version names the build; the Dockerfile sets it.
var version string

// gcPercent lets the heap grow to five times its live part. That part is a few MB, so
// at Go's default of 100 the collector would run hundreds of times a second under load.
const gcPercent = 400

func main() {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(service.Run(ctx, version, serve))
}

func serve(ctx context.Context, s *service.Service) error {
	port := s.Config.Port
	listener, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("PORT is %d: %w; set PORT to a port that is free", port, err)
	}
	slog.Info("started", "addr", listener.Addr().String(), "function", s.Config.FunctionTarget, "version", s.Version)
	if logging.Terminal(os.Stderr) {
		url := fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
		slog.Info("open " + url + " to see the hall, " + url + "/docs to try the API")
	}
	return s.Serve(ctx, listener)
}
