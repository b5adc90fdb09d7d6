// Command booking serves the functions from a server of its own: all of them, or
// the one that FUNCTION_TARGET names. The environment configures it; README.md
// lists the variables.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/sethvargo/go-envconfig"

	"booking/functions"
	"booking/functions/internal/config"
	"booking/functions/internal/logging"
	"booking/functions/internal/service"
)

// version is what the image was built as; the Dockerfile sets it.
var version = "unversioned"

var errConfiguration = errors.New("the configuration is wrong")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := realMain(ctx, envconfig.OsLookuper(), os.Stderr)
	stop()
	switch {
	case errors.Is(err, errConfiguration):
		os.Exit(2)
	case err != nil:
		slog.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func realMain(ctx context.Context, env envconfig.Lookuper, output io.Writer) error {
	logging.Setup(output, slog.LevelInfo)
	c, err := config.Load(ctx, env, functions.Names())
	if err != nil {
		for fault := range strings.Lines(err.Error()) {
			slog.Error(errConfiguration.Error(), "fault", strings.TrimSpace(fault))
		}
		return errConfiguration
	}
	logging.Setup(output, c.LogLevel)

	s, err := service.Open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	handler, err := functions.Handler(c.FunctionTarget, functions.Needs{Locker: s.Locker, MaxSeats: c.MaxSeatsPerRequest}, s.Monitor)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(c.Port)))
	if err != nil {
		return fmt.Errorf("listen: %w; is another process on PORT %d?", err, c.Port)
	}
	logStart(listener.Addr(), c.FunctionTarget, logging.Terminal(output))
	return serve(ctx, listener, handler, s.Monitor, c)
}

func logStart(addr net.Addr, target string, terminal bool) {
	slog.Info("started", "addr", addr.String(), "function", target, "version", version)
	if terminal {
		url := fmt.Sprintf("http://localhost:%d", addr.(*net.TCPAddr).Port)
		slog.Info("open " + url + "/docs to try the API; the calls are at " + url)
	}
}
