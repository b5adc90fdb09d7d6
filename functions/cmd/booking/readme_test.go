package main

import (
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/internal/processtest"
	"booking/seatlock/redistest"
)

// The session that README.md prints is what a reader gets, but for the times.
func TestTheSessionInREADME(t *testing.T) {
	t.Parallel()
	redistest.Program(t, "curl")
	readme, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(readme), "```console\n")
	require.True(t, found)
	session, _, _ := strings.Cut(rest, "```")

	p := processtest.Start(t)
	p.Await(t, "/readyz", http.StatusOK)
	times := regexp.MustCompile(`"expires_at":"[^"]+"|"expires_in_ms":\d+`)
	commands := strings.Split(strings.TrimSpace(session), "\n\n")
	require.Len(t, commands, 6)
	for _, block := range commands {
		command, want, _ := strings.Cut(strings.TrimPrefix(block, "$ "), "\n")
		got, err := exec.Command("sh", "-c", strings.ReplaceAll(command, "http://localhost:8080", p.URL)).Output()
		require.NoError(t, err, command)
		require.Equal(t, times.ReplaceAllString(want, ""), times.ReplaceAllString(strings.TrimSpace(string(got)), ""))
	}
}
