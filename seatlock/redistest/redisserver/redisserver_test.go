package redisserver_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest"
	"booking/seatlock/redistest/redisserver"
)

func start(t *testing.T, args ...string) *redisserver.Server {
	t.Helper()
	redistest.Program(t, "redis-server")
	s, err := redisserver.Start(t.Context(), redisserver.Options{Args: args})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	return s
}

func TestStart_AnswersAtURL(t *testing.T) {
	t.Parallel()
	s := start(t)
	require.Equal(t, "redis://"+s.Addr, s.URL())
	require.NotEmpty(t, s.Name)
	require.NotEmpty(t, s.Version)
	require.Equal(t, "PONG", s.Client.Ping(t.Context()).Val())
}

func TestStart_FailsWithServerLogAndLeavesNoFiles(t *testing.T) {
	redistest.Program(t, "redis-server")
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	_, err := redisserver.Start(t.Context(), redisserver.Options{Args: []string{"--no-such-option", "1"}})
	require.ErrorContains(t, err, "redis-server exited at once")
	require.ErrorContains(t, err, "no-such-option")
	files, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, files)
}

func TestStart_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	redistest.Program(t, "redis-server")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := redisserver.Start(ctx, redisserver.Options{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestProgram_ReadsREDIS_SERVER(t *testing.T) {
	t.Setenv("REDIS_SERVER", os.Args[0])
	path, err := redisserver.Program()
	require.NoError(t, err)
	require.Equal(t, os.Args[0], path)

	t.Setenv("REDIS_SERVER", "/nowhere/redis-server")
	_, err = redisserver.Program()
	require.ErrorIs(t, err, redisserver.ErrNotFound)
	require.ErrorContains(t, err, `REDIS_SERVER is "/nowhere/redis-server"`)

	t.Setenv("REDIS_SERVER", "")
	t.Setenv("PATH", t.TempDir())
	_, err = redisserver.Program()
	require.ErrorIs(t, err, redisserver.ErrNotFound)
}

func TestRestart_KeepsAddressAndFiles(t *testing.T) {
	t.Parallel()
	s := start(t, "--appendonly", "yes", "--appendfsync", "always")
	require.NoError(t, s.Client.Set(t.Context(), "key", "value", 0).Err())
	addr, pid := s.Addr, s.PID()
	s.Kill()
	require.Error(t, s.Client.Ping(t.Context()).Err())
	require.NoError(t, s.Restart(t.Context()))
	require.Equal(t, addr, s.Addr)
	require.NotEqual(t, pid, s.PID())
	require.Equal(t, "value", s.Client.Get(t.Context(), "key").Val())

	pid = s.PID()
	require.NoError(t, s.Restart(t.Context()), "of a server that runs")
	require.NotEqual(t, pid, s.PID())
}

func TestPause_StallsUntilResume(t *testing.T) {
	t.Parallel()
	s := start(t)
	require.NoError(t, s.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Client.Ping(ctx).Err(), os.ErrDeadlineExceeded)
	require.NoError(t, s.Resume())
	require.NoError(t, s.Client.Ping(t.Context()).Err())
}

func TestStop_EndsAPausedServerAndRemovesItsFiles(t *testing.T) {
	t.Parallel()
	s := start(t)
	dir := s.Client.ConfigGet(t.Context(), "dir").Val()["dir"]
	require.DirExists(t, dir)
	require.NoError(t, s.Pause())
	s.Stop()
	s.Stop()
	require.NoDirExists(t, dir)
	require.ErrorContains(t, s.Restart(t.Context()), "stopped")
}
