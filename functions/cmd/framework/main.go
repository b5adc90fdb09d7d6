// Command framework serves the functions under the stock functions framework, as a
// functions host does. It takes the same environment as command booking. Deploy command
// booking instead: the framework's server has no timeouts, and stops without a drain.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	"booking/functions/cmd/internal/service"
)

func main() { os.Exit(service.Run(context.Background(), "", serve)) }

// serve returns only if the framework's server fails.
func serve(ctx context.Context, s *service.Service) error {
	// A handler without a name gets its own path if FUNCTION_TARGET is unset, and every
	// path if FUNCTION_TARGET is a name that the framework does not know.
	if err := funcframework.RegisterHTTPFunctionContext(ctx, "/", s.Handler.ServeHTTP); err != nil {
		return err
	}
	go s.Monitor.Run(ctx)
	slog.Info("starting", "port", s.Config.Port, "function", s.Config.FunctionTarget)
	return errors.Join(errors.New("the framework's server ended"), funcframework.StartHostPort("", strconv.Itoa(s.Config.Port)))
}
