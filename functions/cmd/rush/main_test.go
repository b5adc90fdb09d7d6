package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/internal/child"
	"booking/functions/cmd/internal/processtest"
	"booking/functions/cmd/rush/internal/report"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

func TestMain(m *testing.M) {
	child.Serve("rush")
	processtest.Main(m, main)
}

// small are the flags of a run that a slow machine can do, and that sells most seats.
var small = []string{"-users", "150", "-seats", "40", "-duration", "3s", "-hold", "1s", "-think", "200ms", "-seed", "7"}

// rush runs the command and returns its status and what it wrote.
func rush(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = realMain(ctx, args, func(string) string { return "" }, &out, &err)
	return status, out.String(), err.String()
}

func TestRush_ReportsARunOnTheEmbeddedRedis(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "report")
	status, stdout, stderr := rush(t.Context(), append(small, "-report", dir)...)
	require.Equal(t, statusKept, status, stdout+stderr)
	require.Contains(t, stderr, "-seed 7 repeats the same buyers")
	require.Contains(t, stderr, "Redis: miniredis, inside the service")
	require.Regexp(t, `\d s  seats: +\d+ free +\d+ held +\d+ sold`, stderr)
	require.NotContains(t, stderr, "\x1b", "only a terminal gets control characters")
	require.Regexp(t, `Oracle: [\d,]+ calls judged, no promise broken\. Each of the [\d,]+ seats`, stdout)
	require.Contains(t, stdout, "latency, ms")
	require.Contains(t, stdout, "Report: "+dir+"/index.html")

	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	require.NotContains(t, string(page), "<script")
	require.NotContains(t, string(page), "http://www")
	for _, name := range []string{"seats.svg", "calls.svg", "latency.svg", "answers.svg", "hall.svg"} {
		require.Contains(t, string(page), `<img src="`+name+`" alt="`)
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Contains(t, string(text), "<desc>")
		wellFormed(t, text)
	}
	wellFormed(t, bytes.Replace(page, []byte("<!DOCTYPE html>"), nil, 1))
}

// wellFormed checks that text is XML, or HTML with void elements.
func wellFormed(t *testing.T, text []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(text))
	d.Strict, d.AutoClose = false, []string{"meta", "img", "br"}
	if bytes.Contains(text, []byte("<svg")) {
		d.Strict = true
	}
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}

func TestRush_WritesJSON(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := rush(t.Context(), append(small, "-json", "-watchers", "20")...)
	require.Equal(t, statusKept, status, stdout+stderr)
	var s report.Summary
	require.NoError(t, json.Unmarshal([]byte(stdout), &s))
	require.EqualValues(t, 7, s.Seed)
	require.Equal(t, 150, s.Users)
	require.Equal(t, s.Sold, s.Oracle.Confirmed, "each sold seat was confirmed to a buyer")
	require.NotEmpty(t, s.Latencies)
	require.Empty(t, s.Oracle.Findings)
	require.Equal(t, s.Seats-s.Sold, s.Oracle.Tried)
	require.Equal(t, 20, s.Watchers.Streams)
	require.Zero(t, s.Watchers.Lost)
	require.Greater(t, s.Watchers.Changes, s.Sold, "each seat is held and sold")
}

func TestRush_AsksForTheBestAvailable(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := rush(t.Context(), append(small, "-best", "0.5", "-twice", "0.3", "-json")...)
	require.Equal(t, statusKept, status, stdout+stderr)
	var s report.Summary
	require.NoError(t, json.Unmarshal([]byte(stdout), &s))
	require.NotNil(t, s.Best)
	require.Positive(t, s.Best.Holds)
	require.GreaterOrEqual(t, s.Best.Calls, s.Best.Holds)
	require.Empty(t, s.Unexpected)
}

// A hall with seats and an area, on a real Redis. The area is sold to the last place.
func TestRush_SellsAnArea(t *testing.T) {
	t.Parallel()
	redistest.Program(t, "redis-server")
	status, stdout, stderr := rush(t.Context(), append(small, "-chaos", "flush", "-area", "30", "-groups", "0", "-abandon", "0", "-twice", "0.3", "-return", "0", "-exchange", "0", "-watchers", "3", "-json")...)
	require.Equal(t, statusKept, status, stdout+stderr)
	require.Contains(t, stderr, "150 buyers, 40 seats (1-8:A-E), 30 places of general admission, on sale for 3s")
	var s report.Summary
	require.NoError(t, json.Unmarshal([]byte(stdout), &s))
	require.Equal(t, 70, s.Seats)
	require.Equal(t, 30, s.Put.Places)
	require.GreaterOrEqual(t, s.Best.Places, 30)
	require.Equal(t, s.Seats-s.Sold, s.Oracle.Tried)
	require.Zero(t, s.Watchers.Lost)
	require.Empty(t, s.Unexpected)
}

func TestRush_OpensTheSaleMidStorm(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := rush(t.Context(), append(small, "-duration", "5s", "-on-sale-after", "2500ms", "-blocked", "0.1", "-cheat", "0.2", "-watchers", "3", "-json")...)
	require.Equal(t, statusKept, status, stdout+stderr)
	require.Contains(t, stderr, ", put by rush, hold time 1s, opens after 2.5s, 4 seats blocked\n")
	var s report.Summary
	require.NoError(t, json.Unmarshal([]byte(stdout), &s))
	require.NotNil(t, s.Put.OnSaleAt)
	require.Equal(t, report.Put{HoldSeconds: 1, OnSaleAt: s.Put.OnSaleAt, OnSaleAfter: s.Put.OnSaleAfter, Blocked: 4, Channel: "house"}, *s.Put)
	require.NotZero(t, s.TooSoon, "buyers came before")
	require.NotZero(t, s.Sold)
	require.Equal(t, 4, s.Oracle.Blocked)
	require.Equal(t, s.Seats-s.Sold, s.Oracle.Tried, "the blocked seats, too")
	require.Zero(t, s.Watchers.Lost)
	require.Empty(t, s.Unexpected)
}

func TestRush_PaysTwiceReturnsAndExchanges(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := rush(t.Context(), append(small, "-seats", "120", "-duration", "6s", "-double-pay", "0.5", "-return", "0.7", "-exchange", "0.9", "-twice", "0.3", "-watchers", "3", "-json")...)
	require.Equal(t, statusKept, status, stdout+stderr)
	var s report.Summary
	require.NoError(t, json.Unmarshal([]byte(stdout), &s))
	require.NotNil(t, s.After)
	require.NotZero(t, s.After.DoublePayments)
	require.NotZero(t, s.After.Returns)
	require.NotZero(t, s.After.LateReturns)
	require.NotZero(t, s.After.Exchanges)
	require.NotZero(t, s.After.LateExchanges)
	require.GreaterOrEqual(t, s.After.ReturnedSeats, s.After.Returns)
	require.Equal(t, s.Sold, s.Oracle.Confirmed, "each sold seat was confirmed to a buyer")
	require.Zero(t, s.Watchers.Lost)
	require.Empty(t, s.Unexpected)
}

func TestRush_InjectsFaults(t *testing.T) {
	t.Parallel()
	redistest.Program(t, "redis-server")
	status, stdout, stderr := rush(t.Context(), append(small, "-duration", "8s", "-chaos", "kill,stall,flush", "-json")...)
	require.Equal(t, statusKept, status, stdout+stderr)
	require.Contains(t, stderr, "appendfsync always")
	var s report.Summary
	require.NoError(t, json.Unmarshal([]byte(stdout), &s))
	var injected []string
	for _, f := range s.Faults {
		injected = append(injected, f.Name)
	}
	require.Subset(t, injected, []string{"kill", "stall", "flush"})
	require.NotZero(t, s.Sold)
}

func TestRush_StopsAtASignal(t *testing.T) {
	t.Parallel()
	t.Run("ReportsTheCallsSoFar", func(t *testing.T) {
		t.Parallel()
		// A terminal sends Ctrl-C to the child, too.
		cmd := exec.Command(os.Args[0], append(small, "-duration", "10m", "-users", "20000", "-report", filepath.Join(t.TempDir(), "report"))...)
		cmd.Env = []string{"PROCESSTEST_MAIN=1"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		var out processtest.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		require.Eventually(t, func() bool { return strings.Contains(out.String(), "Redis: miniredis") }, redistest.WaitLimit, time.Millisecond)
		require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
		require.NoError(t, cmd.Wait(), out.String())
		require.Contains(t, out.String(), "Interrupted after")
		require.Contains(t, out.String(), "no promise broken")
	})
	t.Run("StopsRedisAtASecondSignal", func(t *testing.T) {
		t.Parallel()
		program, dir := redistest.Program(t, "redis-server"), t.TempDir()
		script := fmt.Sprintf("#!/bin/sh\necho $$ > %s/pid\nexec %s \"$@\"\n", dir, program)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "redis-server"), []byte(script), 0o700))
		temp := filepath.Join(dir, "temp")
		require.NoError(t, os.Mkdir(temp, 0o700))
		cmd := exec.Command(os.Args[0], append(small, "-duration", "10m", "-users", "20000", "-chaos", "kill")...)
		cmd.Env = []string{"PROCESSTEST_MAIN=1", "TMPDIR=" + temp, "PATH=" + dir + ":" + os.Getenv("PATH")}
		var out processtest.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		require.Eventually(t, func() bool { return strings.Contains(out.String(), "appendfsync always") }, redistest.WaitLimit, time.Millisecond)
		text, err := os.ReadFile(filepath.Join(dir, "pid"))
		require.NoError(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		require.NoError(t, err)
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })

		// While Redis is stalled, the first signal does not end rush.
		require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		require.Eventually(t, func() bool {
			_ = cmd.Process.Signal(os.Interrupt)
			return len(ended) > 0
		}, redistest.WaitLimit, 5*time.Millisecond, out.String())
		require.Error(t, <-ended) // orders what Wait wrote before what follows
		require.Equal(t, statusBroken, cmd.ProcessState.ExitCode(), out.String())
		require.Contains(t, out.String(), "rush: stopped by a second signal; nothing was judged")
		require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "redis-server still runs")
		left, err := os.ReadDir(temp)
		require.NoError(t, err)
		require.Empty(t, left)
	})
	t.Run("DoesNotWaitForPayments", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		url := serveBroken(t, brokenLocker{reserve: func(during context.Context, b brokenLocker, event string, seats []string, user string) (seatlock.Hold, error) {
			hold, err := b.Locker.Reserve(during, event, seats, user)
			if err == nil {
				cancel()
			}
			return hold, err
		}})
		status, stdout, stderr := rush(ctx, "-url", url, "-users", "50000", "-seats", "40", "-duration", "10m", "-think", "10m", "-seed", "7")
		require.Equal(t, statusKept, status, stdout+stderr)
		require.Contains(t, stdout, "Interrupted after")
	})
}

func TestRush_WritesTheResultIfTheReportFails(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	status, stdout, stderr := rush(t.Context(), append(small, "-report", filepath.Join(file, "report"))...)
	require.Equal(t, statusBroken, status)
	require.Contains(t, stdout, "no promise broken")
	require.Regexp(t, `rush: -report is .*: mkdir .*: not a directory; set it to a directory that rush can write\n$`, stderr)
}
