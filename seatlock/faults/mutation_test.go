package faults_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest"
)

// contract are the tests of package seatlock that every mutation is shown to, most of
// them on miniredis alone.
const contract = "^(TestReserve|TestBuy|TestExtend|TestExtend_NeverPassesMaxHoldTime|TestRelease|TestReserve_DecidesCallsOfBatchInTurn|TestLocker_AnswersAsModel|" +
	"TestLocker_ChangesNothingAfterDeadline|TestReserve_LeavesNothingOfAbandonedEvent|TestReserve_KeepsIndexWhileSeatsAreHeld|" +
	"TestBuy_KeepsEventForever|TestMap_FollowsSeatKeysOfSmallEventAtOnce|TestRecordExpired_WaitsForKey|TestReserve_CountsExtendedHoldsToLimit|" +
	"TestChanges_KeepsLastTenThousand|TestLocker_ChangesNothingIfKeyHasWrongType)$/^miniredis$"

// A mutation is a script that is broken on purpose: old stands in it once.
type mutation struct{ script, old, new string }

// A suite that passes proves nothing unless it fails where something is wrong.
func TestTheSuiteFailsWhereAScriptIsBroken(t *testing.T) {
	redistest.Program(t, "redis-server") // what a round does is shown on one
	output, err := contractTests(t, nil)
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
		"TheMapIgnoresTheKeys":          {"map.lua", "< #keys", "< 0"},
		"AGroupIsHeldInPart":            {"reserve.lua", "  if size > start then\n", "  if size > start and freeCount == 0 then\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output, err := contractTests(t, &m)
			require.Error(t, err, "every test passes")
			require.Contains(t, output, "--- FAIL: ", "the tests did not run")
		})
	}
}

// contractTests runs them with a mutation, or with the scripts as they are.
func contractTests(t *testing.T, m *mutation) (output string, err error) {
	t.Helper()
	replace := map[string]string{}
	if m != nil {
		path, err := filepath.Abs(filepath.Join("..", "lua", m.script))
		require.NoError(t, err)
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(source), m.old), "%s has changed: it has %q so many times", m.script, m.old)
		replace[path] = filepath.Join(t.TempDir(), m.script)
		require.NoError(t, os.WriteFile(replace[path], []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(file, overlay, 0o600))
	command := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-vet=off", "-overlay", file, "-run", contract, "-failfast", "booking/seatlock",
		"-rapid.nofailfile", "-rapid.shrinktime=1ns")
	command.Env = append(os.Environ(), "GOFLAGS=") // -race proves nothing here, and takes long
	text, err := command.CombinedOutput()
	return string(text), err
}
