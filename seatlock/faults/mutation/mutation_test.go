package mutation_test

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

// contract matches the tests of package seatlock that run against every mutation. The slow ones
// run only if all others pass.
var contract = []string{"^(TestReserve|TestBuy|TestBuy_KeepsOrder|TestReturn|TestReturn_.*|TestExchange|TestExchange_.*|TestRequest_.*|TestReserveFirst|TestReserveFirst_.*|TestJournal_.*|TestRelay_.*|TestExtend|TestExtend_NeverPassesMaxHoldTime|TestRelease|TestReserve_DecidesCallsOfBatchInTurn|" +
	"TestReserve_LeavesNothingOfAbandonedEvent|TestReserve_EndsHoldWhoseKeyIsGone|TestReserve_KeepsIndexWhileSeatsAreHeld|" +
	"TestBuy_KeepsEventForever|TestMap_FollowsSeatKeysOfSmallEventAtOnce|TestRefresh_WaitsForKey|TestReserve_CountsExtendedHoldsToLimit|" +
	"TestLocker_ChangesNothingIfKeyHasWrongType|TestView_ChangesNothingIfStreamHasWrongType|" +
	"TestReserve_ObeysSaleWindow|TestReserve_ObeysSettingsOfEvent|TestExtend_NeverPassesMaxHoldTimeOfEvent|TestReserve_KeepsIndexThroughHoldTimeOfEvent|" +
	"TestLocker_RefusesOtherVersionsOfPlan|TestBlock|TestBlock_.*|" +
	"TestPutEvent_(CreatesAndReplaces|NeverDropsSeatsInUse|ReplacesOnlyVersionThatItRead|NeverUsesVersionAgain|SeesSeatsThatAreReservedMeanwhile)|" +
	"TestDeleteEvent_(LeavesNoKey|KeepsOthersOutAndGoesOn|KeepsEventThatWasPutAgain))$/^miniredis$",
	"^(TestLocker_AnswersAsModel|TestLocker_ChangesNothingAfterDeadline|TestChanges_KeepsLastTenThousand)$/^miniredis$"}

// mutation breaks a script: it replaces the only occurrence of old by new.
type mutation struct{ script, old, new string }

// A suite proves something only if it fails for a broken script.
func TestMutation_FailsSuite(t *testing.T) {
	redistest.Program(t, "redis-server") // some contract tests need it
	suite := buildSuite(t, "booking/seatlock")
	output, err := runSuite(t, suite)
	require.NoError(t, err, "%s", output)
	for name, m := range map[string]mutation{
		"ReserveTakesWhatIsAnothers":    {"reserve.lua", "if not owner and ofChannel then", "if owner ~= user and ofChannel then"},
		"ReserveTakesWhatTheRunGave":    {"reserve.lua", "elseif newHolds[key] then", "elseif false then"},
		"BuyDoesNotCompareTheOwner":     {"buy.lua", "if owner ~= user then", "if not owner then"},
		"ExtendDoesNotCompareTheOwner":  {"extend.lua", "if owner ~= user then", "if not owner then"},
		"ReleaseDoesNotCompareTheOwner": {"release.lua", "if owner == user and deadline then", "if deadline then"},
		"AReturnIgnoresTheOrder":        {"return.lua", "if owner == user and soldOrder == order then", "if owner == user and soldOrder then"},
		"AReturnIgnoresTheOwner":        {"return.lua", "if owner == user and soldOrder == order then", "if soldOrder == order then"},
		"AReturnedSeatStaysInTheIndex":  {"return.lua", "call('ZREM', index, unpack(ids))", ""},
		"AReturnedSeatStaysInTheLimit":  {"return.lua", "call('ZREM', userSeats, unpack(ids))", ""},
		"AReturnIsNoChange":             {"return.lua", "appendEnd('returned', ids, ownerFields(user, order))", ""},
		"ABuyIgnoresTheOrder":           {"buy.lua", "elseif soldOrder and soldOrder ~= order then", "elseif false then"},
		"ASaleKeepsItsTTL":              {"buy.lua", "call('SET', key, values[i])", "call('SET', key, values[i], 'KEEPTTL')"},
		"AHoldIsNotInTheIndex":          {"reserve.lua", "addSeats(index, newIds, deadline, 'NX') < newCount", "false"},
		"ASaleIsNotInTheIndex":          {"buy.lua", "addSeats(index, ids, '+inf')", ""},
		"ARepeatedReserveIsRefused":     {"reserve.lua", "elseif owner == user and deadline and not isChoice then", "elseif false then"},
		"ALateScriptActs":               {"event.lua", "if now > tonumber(ARGV[2]) then", "if false then"},
		"AKeyThatIsThereHasEnded":       {"event.lua", "if call('EXISTS', seatPrefix .. id) == 0 then", "if true then"},
		"ChangesAreTrimmedEarly":        {"event.lua", "kept or '10000'", "kept or '1000'"},
		"TypesAreNotChecked":            {"event.lua", "call('ZCARD', index)", ""},
		"StreamTypeIsNotChecked":        {"reserve.lua", "local isNewStream = readLastChange()", "local isNewStream = false"},
		"AnExtendedHoldIsNotCounted":    {"extend.lua", "addSeats(userSeats, ids, deadline)", ""},
		"EndedHoldsStayInAUsersSet":     {"reserve.lua", "call('ZREMRANGEBYSCORE', userSeats, '-inf', '(' .. now)", ""},
		"AnAbandonedIndexStays":         {"reserve.lua", "extendTTL(index, remaining == -2, ends)", ""},
		"ADeletedHoldDoesNotEnd":        {"reserve.lua", "if tonumber(score) ~= newDeadline then", "if false then"},
		"AnIndexThatWasEmptyStays":      {"reserve.lua", "    remaining = kept and -1 or call('PTTL', index)", ""},
		"AnEndedHoldKeepsItsDeadline":   {"reserve.lua", "  addSeats(index, newIds, deadline)\n", ""},
		"AnAbandonedUserStays":          {"reserve.lua", "extendTTL(userSeats, call('ZCARD', userSeats) == #ids, ends)", ""},
		"TheIndexEndsBeforeItsHolds":    {"reserve.lua", "remaining >= 0 and", "false and"},
		"ChangesOfASaleEnd":             {"buy.lua", "call('PERSIST', stream)", ""},
		"AUsersSalesEnd":                {"buy.lua", "call('PERSIST', userSeats)", ""},
		"TheIndexOfASaleEnds":           {"buy.lua", "call('PERSIST', index)\n", "call('ZCARD', index)\n"},
		"RefreshDoesNotCheckTypes":      {"refresh.lua", "checkTypes()", ""},
		"TheMapIgnoresTheKeys":          {"refresh.lua", "< #keys", "< 0"},
		"AGroupIsHeldInPart":            {"reserve.lua", "elseif size > start then", "elseif size > start and freeCount == 0 then"},

		"AnExchangeIgnoresTheOrder":           {"exchange.lua", "soldOrder == order", "soldOrder"},
		"AnExchangeIgnoresTheOwner":           {"exchange.lua", "local isSold = owner == user and", "local isSold ="},
		"AnExchangeTakesWhatIsAnothers":       {"exchange.lua", "elseif i > n and not (owner == user and deadline) then", "elseif i > n and not deadline then"},
		"AnExchangeTakesBlockedSeats":         {"exchange.lua", "if blockedOrFree ~= -2 then", "if blockedOrFree ~= -2 and blockedOrFree ~= -4 then"},
		"AnExchangeIsPartial":                 {"exchange.lua", "elseif not done and #notFree > 1 then", "elseif not done and #notFree > 2 * n then"},
		"ALateExchangeSucceeds":               {"exchange.lua", "sold == n and #notSold", "#notSold"},
		"AnExchangeKeepsTheOldSeats":          {"exchange.lua", "call('DEL', KEYS[3 + i])", ""},
		"AnExchangedSeatStaysInTheIndex":      {"exchange.lua", "call('ZREM', index, unpack(from))", ""},
		"AnExchangedSeatStaysInTheLimit":      {"exchange.lua", "call('ZREM', userSeats, unpack(from))", ""},
		"AnExchangedSaleKeepsTheTTLOfItsHold": {"exchange.lua", "call('SET', KEYS[3 + n + i], value)", "call('SET', KEYS[3 + n + i], value, 'KEEPTTL')"},
		"AnExchangeIsNotInTheIndex":           {"exchange.lua", "addSeats(index, to, '+inf')", ""},
		"AnExchangeIsNotInTheLimit":           {"exchange.lua", "addSeats(userSeats, to, '+inf')", ""},
		"AnExchangeLeavesOutExpiredHolds":     {"exchange.lua", "recordExpired(to[i])", ""},
		"AnExchangeIsNoChange":                {"exchange.lua", "appendEnd('exchanged', from, 'to', table.concat(to, ' '), ownerFields(user, order))", ""},

		"AReplayActs":                  {"event.lua", "return {7, now}", "return nil"},
		"ARepeatedRequestActs":         {"event.lua", "if not stored then", "if true then"},
		"ARequestIsEachUsers":          {"event.lua", "tag .. ':' .. user .. ' ' .. key", "tag .. ':' .. key"},
		"ABatchForgetsItsRequests":     {"reserve.lua", "if not answer then", "if true then"},
		"ABatchReplaysOtherRequests":   {"reserve.lua", "elseif answer.request.fingerprint ~= request.fingerprint then", "elseif false then"},
		"AReserveForgetsItsRequest":    {"reserve.lua", "remember(answer.request, answer.reply, answer.seats)", ""},
		"AChoiceForgetsItsSeats":       {"reserve.lua", "remember(answer.request, answer.reply, answer.seats)", "remember(answer.request, answer.reply)"},
		"AChoiceTakesTheUsersOwnHolds": {"reserve.lua", "and deadline and not isChoice then", "and deadline then"},
		"AChoiceHoldsTheFirstGroup":    {"reserve.lua", "until size == start or mark ~= ' '", "until true"},
		"AChoiceHoldsALaterGroup":      {"reserve.lua", "until size == start or mark ~= ' '", "until mark ~= ' '"},
		"AChoiceNamesTheFirstGroup":    {"reserve.lua", "1 + group - first", "1"},
		"AChoiceLeavesConflictsBehind": {"reserve.lua", "for i = size + 1, #reply do", "for i = 1, 0 do"},
		"ABuyForgetsItsRequest":        {"buy.lua", "remember(request, {now})", ""},
		"AnExtendForgetsItsRequest":    {"extend.lua", "remember(request, {now, holdTime, earliest or 0})", ""},
		"AReleaseForgetsItsRequest":    {"release.lua", "remember(request, {now})", ""},
		"AReturnForgetsItsRequest":     {"return.lua", "remember(request, {now})", ""},
		"AnExchangeForgetsItsRequest":  {"exchange.lua", "remember(request, {now})", ""},

		"EntriesOfABatchShareIDs":    {"event.lua", "offset + users", "offset + 1"},
		"AChangeOfABatchHasOneUser":  {"reserve.lua", "table.concat(newUsers, ' ')", "newUsers[1]"},
		"ASaleNamesNoOrder":          {"event.lua", "if order and order ~= '' then", "if false then"},
		"ABlockedSeatNamesNoChannel": {"event.lua", "appendChange('blocked', seats, 1, 'channel', channel)", "appendChange('blocked', seats, 1)"},
		"AHoldNamesNoChannel":        {"reserve.lua", "if channel == '' then", "if true then"},

		"AStalePlanIsIgnored":             {"event.lua", "if ARGV[4] ~= '' and ARGV[4] ~= planVersion then", "if false then"},
		"CallsGetInWhileAnEventIsDeleted": {"event.lua", "return {-3, now}", "version, planVersion = '0', '0'"},
		"TheEventsLimitIsIgnored":         {"event.lua", "tonumber(eventLimit) or limit", "limit"},
		"TheEventsHoldTimeIsIgnored":      {"event.lua", "tonumber(hold) or holdTime", "holdTime"},
		"AnEndedHoldIsNotBlockedAgain":    {"event.lua", "if not hasBlocked then\n    return", "if true then\n    return"},
		"EachEndedHoldIsBlocked":          {"event.lua", "if channel then\n      blocked[channel]", "channel = channel or 'none'\n    if true then\n      blocked[channel]"},
		"TheBlockedTypeIsNotChecked":      {"event.lua", "call('HLEN', blockedKey)", ""},

		"ASaleBeginsAtOnce":             {"reserve.lua", "local onSaleNow = now >= (onSale or 0) and", "local onSaleNow ="},
		"ASaleBeginsLate":               {"reserve.lua", "= now >= (onSale or 0) and", "= now > (onSale or 0) and"},
		"ASaleNeverEnds":                {"reserve.lua", " and now < (offSale or math.huge)", ""},
		"ASaleEndsLate":                 {"reserve.lua", "now < (offSale", "now <= (offSale"},
		"AChannelWaitsForTheSale":       {"reserve.lua", " and channel == '' and not onSaleNow", " and not onSaleNow"},
		"ThePublicTakesBlockedSeats":    {"reserve.lua", "if not owner and ofChannel then", "if not owner and (ofChannel or channel == '') then"},
		"AChannelTakesSeatsOfAnother":   {"reserve.lua", "channel == (channels and channels[seat] or '')", "channel == (channels and channels[seat] or '') or channel ~= '' and channels[seat]"},
		"AChannelTakesSeatsOfThePublic": {"reserve.lua", "channel == (channels and channels[seat] or '')", "channel == (channels and channels[seat] or channel)"},
		"ABlockedSeatIsCalledAvailable": {"event.lua", "return hasBlocked and call('HEXISTS'", "return false and call('HEXISTS'"},
		"TheEventsLongestHoldIsIgnored": {"reserve.lua", "maxHoldTime or args[5]", "args[5]"},
		"ALongHoldOutlivesTheIndex":     {"reserve.lua", "math.max(holdTime, maxHoldTime or args[5])", "(maxHoldTime or args[5])"},

		"HeldSeatsAreBlocked":             {"block.lua", "if owner or", "if owner and not deadline or"},
		"SoldSeatsAreBlocked":             {"block.lua", "if owner or", "if deadline or"},
		"BlockTakesSeatsOfAnotherChannel": {"block.lua", "channels[i] ~= channel then", "channels[i] ~= channel and unblock then"},
		"UnblockFreesSeatsOfAnother":      {"block.lua", "channels[i] ~= channel then", "channels[i] ~= channel and not unblock then"},
		"BlockedSeatsAreNotCounted":       {"block.lua", "call('HSET', eventKey, 'blocked', count)", ""},
		"ACountOfZeroStays":               {"block.lua", "call('HDEL', eventKey, 'blocked')", ""},
		"ABlockIsNoChange":                {"block.lua", "appendChange(unblock and 'unblocked' or 'blocked', part, 1, 'channel', channel)", ""},
		"ARepeatedBlockIsAChange":         {"block.lua", "elseif not channels[i] ~= unblock then", "else"},
		"BlockDoesNotCheckTypes":          {"block.lua", "checkTypes()", ""},
		"BlockLeavesOutExpiredHolds":      {"block.lua", "recordExpired(changed[i])", ""},
		"ChangesOfABlockStay":             {"block.lua", "extendTTL(stream, not kept and call('XLEN', stream) == math.ceil(#changed / 100), now + streamTime)", ""},

		"APutIgnoresTheVersion":       {"put.lua", "if ARGV[5] ~= '' and ARGV[5] ~= version then", "if false then"},
		"APutIgnoresChangesMeanwhile": {"put.lua", "if ARGV[6] ~= '' and", "if false and"},
		"ANewPlanHasTheOldVersion":    {"put.lua", "if ARGV[9] == '1' or isNew then", "if isNew then"},
		"TheSamePlanHasANewVersion":   {"put.lua", "if ARGV[9] == '1' or isNew then", "if true then"},
		"AVersionIsUsedTwice":         {"put.lua", "math.max(version + 1, micros)", "micros"},
		"ANewEventHasAnOldVersion":    {"put.lua", "math.max(version + 1, micros)", "version + 1"},
		"APutForgetsBlockedSeats":     {"put.lua", "tonumber(hasBlocked) or 0", "0"},
		"AnEventWithoutAPlanKeepsOne": {"put.lua", "call('DEL', KEYS[4])", ""},

		"DeleteIgnoresHolds":              {"delete.lua", "if held > 0 or sold", "if sold"},
		"DeleteIgnoresSales":              {"delete.lua", "if held > 0 or sold > 0 and ARGV[5] ~= '1' then", "if held > 0 then"},
		"DeleteNeverDiscardsSales":        {"delete.lua", " and ARGV[5] ~= '1' then", " then"},
		"ADeletedEventIsNotMarked":        {"delete.lua", "call('HSET', KEYS[3], 'settings', 'deleting')", ""},
		"AnUnknownEventIsDeleted":         {"delete.lua", "if not settings then", "if false then"},
		"KeysOfANewEventAreDeleted":       {"unlink.lua", "if redis.call('HMGET', KEYS[1], 'settings')[1] ~= 'deleting' then", "if false then"},
		"KeysAreDeletedLate":              {"unlink.lua", "if now > tonumber(ARGV[2]) then", "if false then"},
		"AnEventIsListedOrUnlistedLate":   {"list.lua", "if now > tonumber(ARGV[2]) then", "if false then"},
		"ALeaseIsNoObstacle":              {"relay.lua", "if not isOwner and remaining > 0 and remaining <= leaseTime then", "if false then"},
		"AFutureLeaseIsObeyed":            {"relay.lua", " and remaining <= leaseTime then", " then"},
		"TheCursorMovesWithoutALease":     {"relay.lua", "not (isOwner and (cursor", "not ((cursor"},
		"TheCursorMovesFromAnywhere":      {"relay.lua", "(isOwner and (cursor == ARGV[6] or cursor == ARGV[7]))", "isOwner"},
		"ACursorThatWentBackIsIgnored":    {"relay.lua", "(cursor ~= last or ARGV[7] ~= '' and ARGV[7] ~= cursor)", "cursor ~= last"},
		"ARepeatedMoveLosesTheLease":      {"relay.lua", " or cursor == ARGV[7]", ""},
		"TheRelayRecordsNoExpiry":         {"relay.lua", "recordExpired(id)", ""},
		"ALeaseStays":                     {"relay.lua", "call('HDEL', KEYS[3], 'owner', 'ends')", ""},
		"ChangesThatWaitAreTrimmed":       {"relay.lua", "if cursor == last and call('XLEN'", "if call('XLEN'"},
		"SentChangesAreKept":              {"relay.lua", "call('XTRIM', stream, 'MAXLEN', '~', 10000)", ""},
		"ARelayDoesNotKeepChanges":        {"event.lua", "kept or '10000'", "'10000'"},
		"TheIndexOfARelayEnds":            {"reserve.lua", "local remaining = kept and -1 or call('PTTL', index)", "local remaining = call('PTTL', index)"},
		"TheStreamOfARelayEnds":           {"relay.lua", "call('PERSIST', stream)", ""},
		"AnIdleRelayTakesTheLease":        {"relay.lua", "if leased then", "if leaseTime > 0 then"},
		"AnEventThatWasNotPutIsRelayed":   {"relay.lua", "if not settings then", "if false then"},
		"ViewsDoNotKnowHowManyAreBlocked": {"refresh.lua", "tonumber(hasBlocked) or 0", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output, err := runSuite(t, m.apply(t, suite))
			require.Error(t, err, "every test passes")
			require.Contains(t, output, "--- FAIL: ", "the tests did not run")
		})
	}
}

// buildSuite returns the test binary of a package.
func buildSuite(t *testing.T, pkg string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "suite.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-ldflags=-s -w", "-o", file, pkg)
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
	source, err := os.ReadFile(filepath.Join("..", "..", "lua", m.script))
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

// writeSuite writes a test binary to a file.
func writeSuite(t *testing.T, suite []byte) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "suite.test")
	// A child that another test forks meanwhile would keep the file open for writing. Then it
	// can't be run (ETXTBSY).
	syscall.ForkLock.RLock()
	err := os.WriteFile(file, suite, 0o700)
	syscall.ForkLock.RUnlock()
	require.NoError(t, err)
	return file
}

// runSuite runs the contract tests of a test binary until one fails.
func runSuite(t *testing.T, suite []byte) (output string, err error) {
	t.Helper()
	file := writeSuite(t, suite)
	for _, tests := range contract {
		run := exec.CommandContext(t.Context(), file, "-test.run", tests, "-test.failfast", "-test.timeout=10m", "-rapid.nofailfile", "-rapid.shrinktime=1ns")
		run.Dir = filepath.Join("..", "..") // as go test does
		text, err := run.CombinedOutput()
		if output += string(text); err != nil {
			return output, err
		}
	}
	return output, nil
}
