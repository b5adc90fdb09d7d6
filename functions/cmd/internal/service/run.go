// Package service is what the commands that serve the functions have in common: their
// start, and the functions over the configured Redis.
package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/sethvargo/go-envconfig"

	"booking/functions"
	"booking/functions/internal/config"
	"booking/functions/internal/logging"
)

// The exit statuses.
const (
	statusStopped       = 0
	statusFailed        = 1
	statusMisconfigured = 2
)

// gcPercent lets the heap grow to five times its live part. That part is a few MB, so
// at Go's default of 100 the collector would run hundreds of times a second under load.
const gcPercent = 400

// Run runs a command that serves the functions, and returns its exit status: 0, 1 for a
// fault, 2 for a wrong configuration or argument. It answers --help and --version, reads
// the configuration from the environment, opens the service and calls serve. version
// names the build; if it is empty, Run takes the module's version.
func Run(ctx context.Context, version string, serve func(context.Context, *Service) error) (status int) {
	version = cmp.Or(version, moduleVersion())
	args := os.Args[1:]
	if text := helpOrVersion(args, version); text != "" {
		fmt.Print(text)
		return statusStopped
	}

	logging.Setup(os.Stderr, slog.LevelInfo)
	env := envconfig.OsLookuper()
	c, err := config.Load(ctx, env, functions.Names())
	if len(args) > 0 {
		err = errors.Join(fmt.Errorf("unknown argument %q: environment variables configure booking; booking --help lists them", args[0]), err)
	}
	if err == nil {
		logging.Setup(os.Stderr, c.LogLevel)
	}
	for _, m := range config.Misspelled(os.Environ()) {
		slog.Warn(fmt.Sprintf("%s has no effect: booking has no such variable; did you mean %s?", m.Name, m.Meant))
	}
	if err != nil {
		for fault := range strings.Lines(err.Error()) {
			slog.Error("wrong configuration", "fault", strings.TrimSpace(fault))
		}
		return statusMisconfigured
	}

	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	s, err := open(ctx, c, env, version)
	if err == nil {
		defer s.close()
		err = serve(ctx, s)
	}
	if err != nil {
		slog.Error("stopped", "error", err)
		return statusFailed
	}
	return statusStopped
}

const usage = `booking serves the calls of a seat-booking core over HTTP.

usage: booking [--help | --version]

Environment variables configure it. Empty means unset.

%s

OTEL_EXPORTER_OTLP_ENDPOINT turns traces on. The other standard OTEL_ variables configure them.
`

// helpOrVersion returns the text that args ask for, or "" if they ask for none.
func helpOrVersion(args []string, version string) string {
	for _, arg := range args {
		switch {
		case slices.Contains([]string{"-h", "-help", "--help"}, arg):
			return fmt.Sprintf(usage, config.Table(functions.Names()))
		case slices.Contains([]string{"-version", "--version"}, arg):
			return fmt.Sprintf("booking %s %s\n", version, runtime.Version())
		}
	}
	return ""
}

// moduleVersion returns the version that `go install` of a version builds in. `go run`
// builds in (devel).
func moduleVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	return cmp.Or(info.Main.Version, "(devel)")
}
