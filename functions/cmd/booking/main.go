// Command booking serves the functions from a server of its own: all of them, or
// the one that FUNCTION_TARGET names. The environment configures it; its --help
// lists the variables.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"

	"github.com/sethvargo/go-envconfig"

	"booking/functions/cmd/internal/service"
	"booking/functions/internal/logging"
)

// version is what the image was built as; the Dockerfile sets it.
var version string

func main() {
	version = service.Version(version)
	if text, asked := service.Answer(os.Args, version); asked {
		fmt.Print(text)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	status := service.ExitStatus(realMain(ctx, envconfig.OsLookuper(), os.Stderr))
	stop()
	os.Exit(status)
}

// gcPercent lets the heap, of a few MB, grow to five times what is live before it is
// collected: at Go's default of 100 that is hundreds of times a second under load.
const gcPercent = 400

func realMain(ctx context.Context, env envconfig.Lookuper, output io.Writer) error {
	if _, set := env.Lookup("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	c, err := service.Configure(ctx, os.Args, env, output)
	service.WarnOfMisspelled(os.Environ())
	if err != nil {
		return err
	}
	s, err := service.Open(ctx, c, env, version)
	if err != nil {
		return err
	}
	defer s.Close()
	listener, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(c.Port)))
	if err != nil {
		return fmt.Errorf("PORT is %d: %w; set PORT to a port that is free", c.Port, err)
	}
	logStart(listener.Addr(), c.FunctionTarget, logging.Terminal(output))
	return serve(ctx, listener, s, c)
}

func logStart(addr net.Addr, target string, terminal bool) {
	slog.Info("started", "addr", addr.String(), "function", target, "version", version)
	if terminal {
		url := fmt.Sprintf("http://localhost:%d", addr.(*net.TCPAddr).Port)
		slog.Info("open " + url + " to see the hall, " + url + "/docs to try the API")
	}
}
