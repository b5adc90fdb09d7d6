// Command framework serves the functions under the stock functions framework, as
// a functions host would: all of them, or the one that FUNCTION_TARGET names. It
// takes the same environment as command booking. The framework's server has no
// time-outs and stops without draining, so a deployment runs command booking.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/sethvargo/go-envconfig"

	"booking/functions/cmd/internal/service"
	"booking/functions/internal/api"
)

const version = "framework"

func main() {
	if text, asked := service.Answer(os.Args, service.Version("")); asked {
		fmt.Print(text)
		return
	}
	os.Exit(service.ExitStatus(realMain(context.Background(), envconfig.OsLookuper())))
}

// realMain serves until the framework's server fails: nothing else ends it.
func realMain(ctx context.Context, env envconfig.Lookuper) error {
	c, err := service.Configure(ctx, os.Args, env, os.Stderr)
	service.WarnOfMisspelled(os.Environ())
	if err != nil {
		return err
	}
	s, err := service.Open(ctx, c, env, version)
	if err != nil {
		return err
	}
	defer s.Close()
	// The framework serves what has no name at its path where no target is set,
	// and at every path where the target is no name it knows.
	if err := funcframework.RegisterHTTPFunctionContext(ctx, "/", api.LogCalls(slog.Default(), s.Handler).ServeHTTP); err != nil {
		return err
	}
	go s.Monitor.Run(ctx)
	slog.Info("starting", "port", c.Port, "function", c.FunctionTarget)
	return errors.Join(errors.New("the framework's server ended"), funcframework.StartHostPort("", strconv.Itoa(c.Port)))
}
