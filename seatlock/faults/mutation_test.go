package faults_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest"
)

// contract matches the tests of package seatlock that run against every mutation.
const contract = "^(TestReserve|TestBuy|TestExtend|TestExtend_NeverPassesMaxHoldTime|TestRelease|TestReserve_DecidesCallsOfBatchInTurn|TestLocker_AnswersAsModel|" +
	"TestLocker_ChangesNothingAfterDeadline|TestReserve_LeavesNothingOfAbandonedEvent|TestReserve_KeepsIndexWhileSeatsAreHeld|" +
	"TestBuy_KeepsEventForever|TestMap_FollowsSeatKeysOfSmallEventAtOnce|TestRefresh_WaitsForKey|TestReserve_CountsExtendedHoldsToLimit|" +
	"TestChanges_KeepsLastTenThousand|TestLocker_ChangesNothingIfKeyHasWrongType)$/^miniredis$"

// mutation breaks a script: it replaces the only occurrence of old by new.
type mutation struct{ script, old, new string }

// A suite proves something only if it fails for a broken script.
func TestMutation_FailsSuite(t *testing.T) {
	redistest.Program(t, "redis-server") // some contract tests need it
	suite := buildSuite(t)
	output, err := runSuite(t, suite)
	require.NoError(t, err, "%s", output)
	for name, m := range map[string]mutation{
		"ReserveTakesWhatIsAnothers":    {"reserve.lua", "if not owner then", "if owner ~= user then"},
		"ReserveTakesWhatTheRunGave":    {"reserve.lua", "if not owner and newHolds[key] then", "if false then"},
		"BuyDoesNotCompareTheOwner":     {"buy.lua", "if owner ~= user then", "if not owner then"},
		"ExtendDoesNotCompareTheOwner":  {"extend.lua", "if owner ~= user then", "if not owner then"},
		"ReleaseDoesNotCompareTheOwner": {"release.lua", "if owner == user and deadline then", "if deadline then"},
		"ASaleKeepsItsTTL":              {"buy.lua", "'sold:' .. user)", "'sold:' .. user, 'KEEPTTL')"},
		"AHoldIsNotInTheIndex":          {"reserve.lua", "addSeats(index, newIds, deadline)", ""},
		"ASaleIsNotInTheIndex":          {"buy.lua", "addSeats(index, ids, '+inf')", ""},
		"ARepeatedReserveIsRefused":     {"reserve.lua", "elseif owner == user and deadline then", "elseif false then"},
		"ALateScriptActs":               {"event.lua", "if now > tonumber(ARGV[2]) then", "if false then"},
		"AKeyThatIsThereHasEnded":       {"event.lua", "if redis.call('EXISTS', seatPrefix .. id) == 0 then", "if true then"},
		"ChangesAreTrimmedEarly":        {"event.lua", "'~', 10000", "'~', 1000"},
		"TypesAreNotChecked":            {"event.lua", "redis.call('ZCARD', index)", ""},
		"StreamTypeIsNotChecked":        {"reserve.lua", "redis.call('XLEN', stream)\nlocal", "local"},
		"AnExtendedHoldIsNotCounted":    {"extend.lua", "addSeats(userSeats, ids, deadline)", ""},
		"EndedHoldsStayInAUsersSet":     {"reserve.lua", "redis.call('ZREMRANGEBYSCORE', userSeats, '-inf', '(' .. now)", ""},
		"AnAbandonedIndexStays":         {"reserve.lua", "extendTTL(index, isNew)", ""},
		"AnAbandonedUserStays":          {"reserve.lua", "extendTTL(userSeats, redis.call('ZCARD', userSeats) == #ids)", ""},
		"TheIndexEndsBeforeItsHolds":    {"reserve.lua", "remaining >= 0 and", "false and"},
		"ChangesOfASaleEnd":             {"buy.lua", "redis.call('PERSIST', stream)", ""},
		"AUsersSalesEnd":                {"buy.lua", "redis.call('PERSIST', userSeats)", ""},
		"TheIndexOfASaleEnds":           {"buy.lua", "redis.call('PERSIST', index)\n", "redis.call('ZCARD', index)\n"},
		"TheMapIgnoresTheKeys":          {"refresh.lua", "< #keys", "< 0"},
		"AGroupIsHeldInPart":            {"reserve.lua", "  if size > start then\n", "  if size > start and freeCount == 0 then\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output, err := runSuite(t, m.apply(t, suite))
			require.Error(t, err, "every test passes")
			require.Contains(t, output, "--- FAIL: ", "the tests did not run")
		})
	}
}

// buildSuite returns the test binary of package seatlock.
func buildSuite(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "seatlock.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-ldflags=-s -w", "-o", file, "booking/seatlock")
	build.Env = append(os.Environ(), "GOFLAGS=") // -race proves nothing here and is slow
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	binary, err := os.ReadFile(file)
	require.NoError(t, err)
	return binary
}

// comments matches the lines of a script that are only a comment.
var comments = regexp.MustCompile(`(?m)^ *--.*\n`)

// apply returns a copy of the test binary that embeds the mutated script. Patching the
// binary is much faster than building it again.
func (m mutation) apply(t *testing.T, suite []byte) []byte {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "lua", m.script))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(source), m.old), "%s has changed: occurrences of %q", m.script, m.old)
	require.Equal(t, 1, bytes.Count(suite, source), "copies of %s in the test binary", m.script)
	mutated := strings.Replace(string(source), m.old, m.new, 1)
	// The length must stay: removed comments make room, and spaces fill it.
	mutated = comments.ReplaceAllString(mutated, "")
	require.LessOrEqual(t, len(mutated), len(source), "no comment in %s makes room for the mutation", m.script)
	mutated += strings.Repeat(" ", len(source)-len(mutated))
	return bytes.Replace(suite, source, []byte(mutated), 1)
}

// runSuite runs the contract tests of a test binary until one fails.
func runSuite(t *testing.T, suite []byte) (output string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "seatlock.test")
	// A child that another test forks meanwhile would keep the file open for writing. Then it
	// can't be run (ETXTBSY).
	syscall.ForkLock.RLock()
	err = os.WriteFile(file, suite, 0o700)
	syscall.ForkLock.RUnlock()
	require.NoError(t, err)
	run := exec.CommandContext(t.Context(), file, "-test.run", contract, "-test.failfast", "-test.timeout=10m", "-rapid.nofailfile", "-rapid.shrinktime=1ns")
	run.Dir = ".." // as go test does
	text, err := run.CombinedOutput()
	return string(text), err
}
