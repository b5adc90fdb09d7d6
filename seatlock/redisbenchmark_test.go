package seatlock_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os/exec"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// The rate of a Locker, compared with that of redis-benchmark, which only sends the same script
// again and again, each time for one call.
func BenchmarkComparedWithRedisBenchmark(b *testing.B) {
	program := redistest.Program(b, "redis-benchmark")
	bundle := benchSetup(b)
	for _, op := range []operation{winning, losing} {
		rate := bundle.redisBenchmark(b, program, op)
		b.Run(op.name+"/callers=1000", func(b *testing.B) {
			bundle.run(b, op, 1000)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/rate, "×redis-benchmark")
		})
	}
}

// redisBenchmark returns how many calls of op, a reserve, redis-benchmark makes a second.
func (bundle *benchBundle) redisBenchmark(b *testing.B, program string, op operation) float64 {
	b.Helper()
	command := bundle.reserveCommand(b, "__rand_int__")
	seats := 1_000_000_000 // too many for a seat to come twice
	if op.groups > 0 {
		seats = op.groups
	}
	bundle.prepare(b, op, 0)
	args := append([]string{"-u", bundle.server.URL(), "-P", "64", "-n", "200000", "-r", strconv.Itoa(seats), "--csv"}, command...)
	output, err := exec.CommandContext(b.Context(), program, args...).CombinedOutput()
	require.NoError(b, err, string(output))
	rows, err := csv.NewReader(bytes.NewReader(output)).ReadAll()
	require.NoError(b, err, string(output))
	require.Len(b, rows, 2, string(output))
	require.Equal(b, "rps", rows[0][1])
	rate, err := strconv.ParseFloat(rows[1][1], 64)
	require.NoError(b, err)
	return rate
}

// reserveCommand returns the command that a Locker sends to reserve a seat.
func (bundle *benchBundle) reserveCommand(b *testing.B, seat string) []string {
	b.Helper()
	client := bundle.server.Client(b)
	sent := &sentCommand{}
	client.AddHook(sent)
	locker, err := seatlock.New(client, seatlock.Options{})
	require.NoError(b, err)
	for range 2 { // the first may have to send the script itself
		require.NoError(b, reserveForAnn(b.Context(), locker, []string{seat}))
	}
	require.Equal(b, "evalsha", sent.args[0])
	return sent.args
}

// sentCommand is a hook that keeps the arguments of the last command of a client.
type sentCommand struct{ args []string }

func (*sentCommand) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*sentCommand) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (s *sentCommand) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		s.args = nil
		for _, arg := range cmds[len(cmds)-1].Args() {
			s.args = append(s.args, fmt.Sprint(arg))
		}
		return next(ctx, cmds)
	}
}
