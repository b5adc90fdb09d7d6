// Command framework serves the functions under the stock functions framework, as
// a functions host would: all of them, or the one that FUNCTION_TARGET names. It
// takes the same environment as command booking. The framework's server has no
// time-outs and stops without draining, so a deployment runs command booking.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/sethvargo/go-envconfig"

	"booking/functions"
	"booking/functions/internal/config"
	"booking/functions/internal/logging"
	"booking/functions/internal/service"
)

func main() {
	logging.Setup(os.Stderr, slog.LevelInfo)
	c, err := config.Load(context.Background(), envconfig.OsLookuper(), functions.Names())
	if err != nil {
		slog.Error("the configuration is wrong", "error", err)
		os.Exit(2)
	}
	logging.Setup(os.Stderr, c.LogLevel)
	if err := realMain(context.Background(), c, ""); err != nil {
		slog.Error("stopped", "error", err)
		os.Exit(1)
	}
}

// realMain serves on host, or on every address where it is empty, until the
// framework's server fails: nothing else ends it.
func realMain(ctx context.Context, c *config.Config, host string) error {
	s, err := service.Open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	handler, err := functions.Handler(c.FunctionTarget, functions.Needs{Locker: s.Locker, MaxSeats: c.MaxSeatsPerRequest}, s.Monitor)
	if err != nil {
		return err
	}
	// The framework serves what has no name at its path where no target is set,
	// and at every path where the target is no name it knows.
	if err := funcframework.RegisterHTTPFunctionContext(ctx, "/", handler.ServeHTTP); err != nil {
		return err
	}
	go s.Monitor.Run(ctx)
	slog.Info("started", "port", c.Port, "function", c.FunctionTarget)
	return errors.Join(errors.New("the framework's server ended"), funcframework.StartHostPort(host, strconv.Itoa(c.Port)))
}
