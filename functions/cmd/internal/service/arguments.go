package service

import (
	"cmp"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"

	"booking/functions"
	"booking/functions/internal/config"
)

const usage = `booking serves the calls of a seat-booking core over HTTP.

usage: booking [--help | --version]

Environment variables configure it; an empty one is unset.

%s

OTEL_EXPORTER_OTLP_ENDPOINT turns traces on; the standard OTEL_ variables do the rest.
`

// Answer returns the text that the arguments of a command ask for: its help or its
// version. It returns false if they ask for neither.
func Answer(args []string, version string) (text string, asked bool) {
	for _, arg := range args[1:] {
		switch {
		case slices.Contains([]string{"-h", "-help", "--help"}, arg):
			return fmt.Sprintf(usage, config.Table(functions.Names())), true
		case slices.Contains([]string{"-version", "--version"}, arg):
			return fmt.Sprintf("booking %s %s\n", version, runtime.Version()), true
		}
	}
	return "", false
}

// Version returns the version that the linker has set, or else that of the module.
// `go install` of a version knows the latter; `go run` says (devel).
func Version(linked string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return cmp.Or(linked, info.Main.Version, "(devel)")
}

// WarnOfMisspelled logs each variable of environ, NAME=value each, that has no effect
// and was probably meant to be one of the service's.
func WarnOfMisspelled(environ []string) {
	for _, m := range config.Misspelled(environ) {
		slog.Warn(fmt.Sprintf("%s has no effect: booking knows no such variable; did you mean %s?", m.Name, m.Meant))
	}
}
