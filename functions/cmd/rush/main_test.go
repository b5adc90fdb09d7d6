package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/internal/processtest"
	"booking/functions/cmd/rush/internal/history"
	"booking/functions/cmd/rush/internal/report"
	"booking/functions/cmd/rush/internal/target"
	"booking/seatlock"
	"booking/seatlock/oracle"
	"booking/seatlock/redistest"
)

func TestMain(m *testing.M) {
	if target.Serves() {
		return
	}
	processtest.Main(m, main)
}

// small is a run that a slow machine bears, and that sells what it has.
var small = []string{"-users", "150", "-seats", "40", "-duration", "3s", "-hold", "1s", "-think", "200ms", "-seed", "7"}

// rush runs the command and returns its status and what it wrote.
func rush(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = realMain(ctx, args, func(string) string { return "" }, &out, &err)
	return status, out.String(), err.String()
}

func TestAStormOnTheEmbeddedRedis(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "report")
	status, stdout, stderr := rush(t.Context(), append(small, "-report", dir)...)
	require.Equal(t, statusKept, status, stdout+stderr)
	require.Contains(t, stderr, "rush -seed 7 has the same ones come")
	require.Contains(t, stderr, "Redis: miniredis, within the service")
	require.Regexp(t, `\d s  seats: +\d+ free +\d+ held +\d+ sold`, stderr)
	require.NotContains(t, stderr, "\x1b", "what is no terminal gets plain lines")
	require.Regexp(t, `Oracle: [\d,]+ calls judged, no promise broken`, stdout)
	require.Contains(t, stdout, "ms since due")
	require.Contains(t, stdout, "Report: "+dir+"/index.html")

	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	require.NotContains(t, string(page), "<script")
	require.NotContains(t, string(page), "http://www")
	for _, name := range []string{"seats.svg", "requests.svg", "latency.svg", "operations.svg", "hall.svg"} {
		require.Contains(t, string(page), `<img src="`+name+`" alt="`)
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Contains(t, string(text), "<desc>")
		wellFormed(t, text)
	}
	wellFormed(t, bytes.Replace(page, []byte("<!DOCTYPE html>"), nil, 1))
}

// wellFormed fails unless text is XML, or HTML but for its void elements.
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

func TestJSON(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := rush(t.Context(), append(small, "-json")...)
	require.Equal(t, statusKept, status, stdout+stderr)
	var s report.Summary
	require.NoError(t, json.Unmarshal([]byte(stdout), &s))
	require.EqualValues(t, 7, s.Seed)
	require.Equal(t, 150, s.Users)
	require.Equal(t, s.Sold, s.Oracle.Sales, "only what was acknowledged is sold")
	require.NotEmpty(t, s.Latencies)
	require.Empty(t, s.Oracle.Findings)
	require.Equal(t, s.Seats-s.Sold, s.Oracle.Tried)
}

func TestFaultsOfARealRedis(t *testing.T) {
	t.Parallel()
	redistest.Program(t, "redis-server")
	status, stdout, stderr := rush(t.Context(), append(small, "-duration", "8s", "-chaos", "kill,stall,flush", "-json")...)
	require.Equal(t, statusKept, status, stdout+stderr)
	require.Contains(t, stderr, "appendfsync always")
	var s report.Summary
	require.NoError(t, json.Unmarshal([]byte(stdout), &s))
	var struck []string
	for _, strike := range s.Strikes {
		struck = append(struck, strike.Fault)
	}
	require.Subset(t, struck, []string{"kill", "stall", "flush"})
	require.NotZero(t, s.Sold)
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	t.Run("ItReportsWhatItSaw", func(t *testing.T) {
		t.Parallel()
		// As a terminal does: the signal reaches all that the process started.
		cmd := exec.Command(os.Args[0], append(small, "-duration", "10m", "-users", "20000", "-report", filepath.Join(t.TempDir(), "report"))...)
		cmd.Env = []string{"PROCESSTEST_MAIN=1"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		var out processtest.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		require.Eventually(t, func() bool { return strings.Contains(out.String(), "Redis: miniredis") }, redistest.Patience, time.Millisecond)
		require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
		require.NoError(t, cmd.Wait(), out.String())
		require.Contains(t, out.String(), "Cut short after")
		require.Contains(t, out.String(), "no promise broken")
	})
	t.Run("ASecondSignalLeavesNoRedis", func(t *testing.T) {
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
		require.Eventually(t, func() bool { return strings.Contains(out.String(), "Redis: redis-server") }, redistest.Patience, time.Millisecond)
		text, err := os.ReadFile(filepath.Join(dir, "pid"))
		require.NoError(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		require.NoError(t, err)
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })

		// A Redis that does not answer keeps rush busy after the first signal.
		require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		require.Eventually(t, func() bool {
			_ = cmd.Process.Signal(os.Interrupt)
			return len(ended) > 0
		}, redistest.Patience, 5*time.Millisecond, out.String())
		require.Equal(t, statusBroken, cmd.ProcessState.ExitCode(), out.String())
		require.Contains(t, out.String(), "rush: stopped by a second signal; nothing was judged")
		require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "redis-server is still there")
		left, err := os.ReadDir(temp)
		require.NoError(t, err)
		require.Empty(t, left)
	})
	t.Run("WhoHoldsSeatsLeavesToo", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		url := serve(t, broken{reserve: func(b broken, during context.Context, event string, seats []string, user string) (seatlock.Hold, error) {
			hold, err := b.Locker.Reserve(during, event, seats, user)
			if err == nil {
				cancel()
			}
			return hold, err
		}})
		status, stdout, stderr := rush(ctx, "-url", url, "-users", "50000", "-seats", "40", "-duration", "10m", "-think", "10m", "-seed", "7")
		require.Equal(t, statusKept, status, stdout+stderr)
		require.Contains(t, stdout, "Cut short after")
	})
}

func TestBadInputIsOneSentence(t *testing.T) {
	t.Parallel()
	full := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"event_id":"gala","seats":[{"seat_id":"1A","status":"Sold"}]}`)
	}))
	t.Cleanup(full.Close)
	otherHall := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/seats" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, `{"event_id":"gala","seats":[]}`)
	}))
	t.Cleanup(otherHall.Close)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-seat", "5"}, "flag provided but not defined: -seat; rush -help lists the flags"},
		{[]string{"-users", "many"}, `invalid value "many" for flag -users`},
		{[]string{"http://localhost:8080"}, `"http://localhost:8080" is no flag`},
		{[]string{"-users", "0"}, "-users is 0: want a number from 1 to 200000"},
		{[]string{"-seats", "-3"}, "-seats is -3: want a number from 1 to 100000"},
		{[]string{"-seats", "4"}, "a hall of 4 seats is smaller than a group: give -max-group or more seats"},
		{[]string{"-seats", "4", "-plan", "1:A-D"}, "give -seats or -plan, not both"},
		{[]string{"-plan", "1-0:A"}, "-plan has a fault at character 1"},
		{[]string{"-zipf", "1"}, "-zipf is 1: want a number from 1.01 to 10"},
		{[]string{"-groups", "1.5"}, "-groups is 1.5: want a number from 0 to 1"},
		{[]string{"-groups", "NaN"}, "-groups is NaN: want a number from 0 to 1"},
		{[]string{"-abandon", "0.6", "-hoard", "0.6"}, "together: want 1 at most"},
		{[]string{"-duration", "1ms"}, "-duration is 1ms: want a time from 1s to 1h0m0s"},
		{[]string{"-hold", "10ms"}, "-hold is 10ms: want a time from 1s on"},
		{[]string{"-chaos", "fire"}, `-chaos has "fire": want kill, stall or flush, joined by commas`},
		{[]string{"-chaos", "kill", "-url", "http://localhost:1"}, "-chaos is for the service that rush starts itself"},
		{[]string{"-url", "localhost:8080"}, `-url is "localhost:8080": want an address like http://localhost:8080`},
		{[]string{"-event", "a b"}, `-event is "a b"`},
		{[]string{"-url", full.URL}, "name a new event with -event"},
		{[]string{"-url", otherHall.URL}, otherHall.URL + " has no seat 1M: its hall is another one; name its SEAT_PLAN with -plan"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := rush(t.Context(), c.args...)
			require.Equal(t, statusUsage, status)
			require.Empty(t, stdout)
			require.Contains(t, stderr, c.want)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		})
	}
}

// What -url names may be anything: each answer has its own cause, and its own fix.
func TestProbe_NamesCauseAndFix(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc // nil where nothing listens
		path   string           // that -url has
		want   string
	}{
		{"Down", nil, "", `connection refused; start the service there, or name another one with -url`},
		{"APathBelowTheService", http.NotFound, "/docs",
			"/docs gives no seat map: GET /seats is answered 404 Not Found; name the address that /seats is below, like http://localhost:8080, with -url"},
		{"RedisIsDown", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "",
			"GET /seats is answered 503 Service Unavailable; run rush again when /readyz there is answered 200"},
		{"Redirected", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://tickets.example.com/seats", http.StatusFound)
		}, "",
			"GET /seats is answered 302 Found to https://tickets.example.com/seats; name the address that it redirects to with -url"},
		{"AnotherSite", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html>") }, "",
			"the answer of GET /seats is not a seat map: invalid character '<' looking for beginning of value; name the address that /seats is below"},
		{"CutOff", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "10") }, "",
			"the answer of GET /seats breaks off: unexpected EOF; run rush again"},
		{"SeatsCantBeRead", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/seats" {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			fmt.Fprint(w, `{"seats":[]}`)
		}, "", "does not show seat 1M: GET /seats/1M is answered 503 Service Unavailable; run rush again when /readyz there is answered 200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.answer)
			t.Cleanup(server.Close)
			if c.answer == nil {
				server.Close()
			}
			status, stdout, stderr := rush(t.Context(), "-url", server.URL+c.path)
			require.Equal(t, statusUsage, status)
			require.Empty(t, stdout)
			require.Contains(t, stderr, c.want)
			require.NotContains(t, stderr, "%!")
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		})
	}
}

// A directory that can't be written costs the pictures, not the result.
func TestReport_FailsAfterTheResult(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	status, stdout, stderr := rush(t.Context(), append(small, "-report", filepath.Join(file, "report"))...)
	require.Equal(t, statusBroken, status)
	require.Contains(t, stdout, "no promise broken")
	require.Regexp(t, `rush: -report is .*: mkdir .*: not a directory; name a directory that can be written\n$`, stderr)
}

func TestAPodNeedsATarget(t *testing.T) {
	t.Parallel()
	for _, set := range []string{"KUBERNETES_SERVICE_HOST", "K_SERVICE"} {
		var stdout, stderr bytes.Buffer
		env := func(name string) string { return map[string]string{set: "10.0.0.1"}[name] }
		require.Equal(t, statusUsage, realMain(t.Context(), nil, env, &stdout, &stderr))
		require.Equal(t, "rush: name the service with -url: within a pod, rush starts none\n", stderr.String())
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	status, stdout, _ := rush(t.Context(), "-help")
	require.Equal(t, statusKept, status)
	require.Contains(t, stdout, "-users")
	for _, outcome := range []oracle.Outcome{oracle.Done, oracle.Refused, oracle.NotRun, oracle.Unknown, history.Unexpected} {
		require.Regexp(t, `(?m)^  `+string(outcome)+`: `, stdout, "every word of the table is explained")
	}
}
