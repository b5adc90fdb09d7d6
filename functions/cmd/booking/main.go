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
	"strconv"
	"syscall"

	"booking/functions/cmd/internal/service"
	"booking/functions/internal/logging"
)

// version names the build; the Dockerfile sets it.
var version string

func main() {
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
