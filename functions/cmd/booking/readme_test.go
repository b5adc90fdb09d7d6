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

// README.md shows sessions of curl commands with their output. A reader gets the same
// output, except for the times and versions.
func TestBooking_AnswersLikeREADME(t *testing.T) {
	t.Parallel()
	redistest.Program(t, "curl")
	readme, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	sessions := regexp.MustCompile("(?s)```console\n(\\$ curl .*?)```").FindAllSubmatch(readme, -1)
	require.Len(t, sessions, 2, "README.md: console blocks that start with $ curl")

	p := processtest.Start(t)
	p.Await(t, "/readyz", http.StatusOK)
	times := regexp.MustCompile(`"expires_at":"[^"]+"|"(expires_in_ms|plan_version)":\d+`)
	commands := strings.Split(strings.TrimSpace(string(sessions[0][1])), "\n\n")
	require.Len(t, commands, 6)
	commands = append(commands, strings.Split(strings.TrimSpace(string(sessions[1][1])), "\n\n")...)
	for _, block := range commands {
		command, want, _ := strings.Cut(strings.TrimPrefix(block, "$ "), "\n")
		got, err := exec.Command("sh", "-c", strings.ReplaceAll(command, "http://localhost:8080", p.URL)).Output()
		require.NoError(t, err, command)
		require.Equal(t, times.ReplaceAllString(want, ""), times.ReplaceAllString(strings.TrimSpace(string(got)), ""))
	}
}
