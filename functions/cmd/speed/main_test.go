package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest"
)

func TestMain(m *testing.M) {
	serveAsChild()
	os.Exit(m.Run())
}

// speed runs the command.
func speed(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = realMain(ctx, args, &out, &err)
	return status, out.String(), err.String()
}

func TestSpeed_MeasuresEverything(t *testing.T) {
	t.Parallel()
	redistest.Program(t, "redis-server")
	svgFile := filepath.Join(t.TempDir(), "cost.svg")
	args := []string{"-rounds", "2", "-duration", "300ms", "-connections", "4", "-seats", "2000", "-json", "-svg", svgFile}
	status, stdout, stderr := speed(t.Context(), args...)
	require.Equal(t, statusDone, status, stderr)
	require.Contains(t, stderr, "win: 2 rounds of 2 × 300ms")

	var r Result
	require.NoError(t, json.Unmarshal([]byte(stdout), &r))
	require.Equal(t, 4, r.Connections)
	require.Regexp(t, `^(Redis|Valkey) \d+\.\d+\.\d+$`, r.Machine.Redis)
	for i, name := range []string{"win", "lose", "status"} {
		c := r.Costs[i]
		require.Equal(t, name, c.Workload)
		require.Positive(t, c.ServiceMicros)
		require.Positive(t, c.NoopMicros)
		require.Positive(t, c.Ratio)
		require.GreaterOrEqual(t, c.P99Millis, c.P50Millis)
		require.Equal(t, name, r.Seats.Few[i].Workload)
		require.Equal(t, name, r.Seats.Many[i].Workload)
	}
	require.Positive(t, r.Few.RoundTripMicros)
	for i, connections := range []int{1, 2, 4, 16} {
		row := r.Few.Rows[i]
		require.Equal(t, connections, row.Connections)
		for _, latency := range []Latency{row.Reserve, row.Plain, row.Noop} {
			require.Positive(t, latency.P50)
			require.GreaterOrEqual(t, latency.P99, latency.P50)
		}
		require.Positive(t, row.Ratio)
	}
	require.Positive(t, r.Memory.Idle)
	require.Positive(t, r.Memory.Last)
	require.Equal(t, 2000, r.Seats.Held)
	require.Greater(t, r.Seats.BytesPerSeat, 50.0, "a key and a member of a sorted set")
	require.Less(t, r.Seats.BytesPerSeat, 1000.0)

	svg, err := os.ReadFile(svgFile)
	require.NoError(t, err)
	requireWellFormed(t, svg)
	require.Contains(t, string(svg), "<title>CPU time per call</title>")
	require.Contains(t, string(svg), "<desc>CPU time per call. win: service ")

	var text strings.Builder
	require.NoError(t, r.write(&text))
	require.Regexp(t, `(?m)^\| lose +\| [\d.]+ µs `, text.String())
	require.Contains(t, text.String(), "2,000 seats held: ")
}

func TestSpeed_MeasuresTheBestAvailable(t *testing.T) {
	t.Parallel()
	redistest.Program(t, "redis-server")
	status, stdout, stderr := speed(t.Context(), "-rounds", "1", "-duration", "300ms", "-workloads", "pair-key,undo-key,best-99,area", "-json")
	require.Equal(t, statusDone, status, stderr)
	var r Result
	require.NoError(t, json.Unmarshal([]byte(stdout), &r))
	require.Len(t, r.Costs, 4)
	for _, c := range r.Costs {
		require.Positive(t, c.ServiceMicros, c.Workload)
	}
}

func TestSpeed_MeasuresOnACluster(t *testing.T) {
	t.Parallel()
	redistest.Program(t, "redis-server")
	status, stdout, stderr := speed(t.Context(), "-nodes", "2", "-rounds", "1", "-duration", "300ms", "-workloads", "events-win")
	require.Equal(t, statusDone, status, stderr)
	require.Regexp(t, `(?m)^\| events-win +\| [\d.]+ µs `, stdout)
	require.Contains(t, stdout, "Redis is a cluster of 2 nodes.")
}

func requireWellFormed(t *testing.T, text []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}

func TestSpeed_RefusesBadFlagsInOneSentence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-round", "5"}, "flag provided but not defined: -round; speed -help lists the flags"},
		{[]string{"-rounds", "many"}, `invalid value "many" for flag -rounds`},
		{[]string{"-rounds", "0"}, "-rounds is 0: want a number from 1 to 1000"},
		{[]string{"-connections", "0"}, "-connections is 0: want a number from 1 to 10000"},
		{[]string{"-seats", "10"}, "-seats is 10: want a number from 1000 to 100000000, or 0"},
		{[]string{"-nodes", "3", "-seats", "1000"}, "-nodes is 3: want a number from 1 to 100, without -seats; or 0"},
		{[]string{"-duration", "1ms"}, "-duration is 1ms: want a duration from 100ms to 1h"},
		{[]string{"-workloads", "win,draw"}, `-workloads has "draw": want some of win, lose, status, events-win, put-win, put-lose, pair-win, pair-key, undo-key, best-10, best-90, best-99 and area, comma-separated`},
		{[]string{"http://localhost:8080"}, `"http://localhost:8080" is not a flag`},
		{[]string{"-svg", filepath.Join(t.TempDir(), "no", "cost.svg")}, "no such file or directory; set it to a file in an existing directory"},
	} {
		t.Run(strings.Join(c.args[:1], " "), func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := speed(t.Context(), c.args...)
			require.Equal(t, statusUsage, status)
			require.Empty(t, stdout)
			require.Contains(t, stderr, c.want)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		})
	}
}

func TestSpeed_NamesAMissingProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("REDIS_SERVER", "")
	status, stdout, stderr := speed(t.Context())
	require.Equal(t, statusUsage, status)
	require.Empty(t, stdout)
	require.Equal(t, `speed: no redis-server: exec: "redis-server": executable file not found in $PATH; install it, or set REDIS_SERVER to its path`+"\n", stderr)
}

func TestSpeed_StopsWithItsContext(t *testing.T) {
	t.Parallel()
	redistest.Program(t, "redis-server")
	ctx, cancel := context.WithCancel(t.Context())
	stderr := writerFunc(func(text string) {
		if strings.HasPrefix(text, "win: ") {
			cancel()
		}
	})
	var stdout bytes.Buffer
	require.Equal(t, statusFailed, realMain(ctx, []string{"-duration", "1h"}, &stdout, stderr))
	require.Empty(t, stdout.String())
}

type writerFunc func(text string)

func (f writerFunc) Write(p []byte) (int, error) {
	f(string(p))
	return len(p), nil
}

func TestSpeed_ExplainsItsFlags(t *testing.T) {
	t.Parallel()
	status, stdout, _ := speed(t.Context(), "-help")
	require.Equal(t, statusDone, status)
	require.Contains(t, stdout, "-connections")
}

func TestReadAnswer_FailsOnAnotherAnswer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 7\r\n\r\nlater…": "want status 200, not 503: late",
		"HTTP/1.1 200 OK\r\n\r\n": "has no Content-Length",
		"SSH-2.0-x\r\n":           "is not HTTP",
	} {
		require.ErrorContains(t, answerError(reader(text)), want)
	}
	answers := reader("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	require.NoError(t, answerError(answers))
	require.NoError(t, answerError(answers))
	require.ErrorIs(t, answerError(answers), io.EOF)
}

func answerError(r *bufio.Reader) error {
	_, err := readAnswer(r, nil, 200)
	return err
}

func reader(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }
