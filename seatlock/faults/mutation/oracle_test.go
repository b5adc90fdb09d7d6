package mutation_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/seatlock/oracle"
	"booking/seatlock/redistest"
)

// The oracle judges from outside. It finds each broken promise in the answers of a load without
// faults.
func TestMutation_IsFoundByOracle(t *testing.T) {
	redistest.Program(t, "redis-server")
	suite := buildSuite(t, "booking/seatlock/faults")
	require.Empty(t, findings(t, suite))
	for name, m := range map[string]struct {
		mutation
		broken []oracle.Promise // at least one of them
	}{
		"ReserveTakesWhatIsAnothers":   {mutation{"reserve.lua", "if not owner and ofChannel then", "if owner ~= user and ofChannel then"}, []oracle.Promise{oracle.OneHolder}},
		"BuyDoesNotCompareTheOwner":    {mutation{"buy.lua", "if owner ~= user then", "if not owner then"}, []oracle.Promise{oracle.OneHolder}},
		"BuyIgnoresTheOrder":           {mutation{"buy.lua", "elseif soldOrder and soldOrder ~= order then", "elseif false then"}, []oracle.Promise{oracle.OneBuyer}},
		"BuyReplacesTheOrder":          {mutation{"buy.lua", "elseif soldOrder and soldOrder ~= order then", "elseif soldOrder and soldOrder ~= order then deadline = 0 end if false then"}, []oracle.Promise{oracle.OneBuyer}},
		"BuyKeepsTheTTL":               {mutation{"buy.lua", "call('SET', key, values[i])", "call('SET', key, values[i], 'KEEPTTL')"}, []oracle.Promise{oracle.SalesLast}},
		"ReturnIgnoresTheOrder":        {mutation{"return.lua", "if owner == user and soldOrder == order then", "if owner == user and soldOrder then"}, []oracle.Promise{oracle.OwnSale}},
		"ReturnIgnoresTheOwner":        {mutation{"return.lua", "if owner == user and soldOrder == order then", "if soldOrder then"}, []oracle.Promise{oracle.OwnSale}},
		"ReturnEndsHolds":              {mutation{"return.lua", "if owner == user and soldOrder == order then", "if owner then"}, []oracle.Promise{oracle.OneHolder}},
		"ReturnLeavesTheKey":           {mutation{"return.lua", "call('DEL', seatPrefix .. id)", ""}, []oracle.Promise{oracle.NothingStuck}},
		"ReturnLeavesTheKeyOfTheGroup": {mutation{"return.lua", "for _, id in ipairs(ids) do", "for _, id in ipairs({ids[1]}) do"}, []oracle.Promise{oracle.NothingStuck}},
		"ARepeatedReturnIsRefused":     {mutation{"return.lua", "elseif owner then", "else"}, []oracle.Promise{oracle.NothingStuck}},
		"ExchangeKeepsTheOldSeats":     {mutation{"exchange.lua", "call('DEL', KEYS[3 + i])", ""}, []oracle.Promise{oracle.NothingStuck}},
		"ExchangeTakesWhatIsHeld":      {mutation{"exchange.lua", "elseif i > n and not (owner == user and deadline) then", "elseif i > n and not deadline then"}, []oracle.Promise{oracle.OneHolder}},
		"ExchangeTakesWhatIsSold":      {mutation{"exchange.lua", "if blockedOrFree ~= -2 then", "if blockedOrFree >= 0 then"}, []oracle.Promise{oracle.OneBuyer}},
		"ExchangeIgnoresTheOrder":      {mutation{"exchange.lua", "soldOrder == order", "soldOrder"}, []oracle.Promise{oracle.OwnSale}},
		"ExchangeMovesAnySale":         {mutation{"exchange.lua", "owner == user and soldOrder == order", "soldOrder ~= nil"}, []oracle.Promise{oracle.SalesLast, oracle.OneHolder, oracle.OneBuyer, oracle.OwnSale}},
		"ReleaseEndsSales":             {mutation{"release.lua", "if owner == user and deadline then", "if owner == user then"}, []oracle.Promise{oracle.SalesLast}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := findings(t, m.apply(t, suite))
			require.True(t, slices.ContainsFunc(m.broken, func(p oracle.Promise) bool { return strings.Contains(found, "broken: "+string(p)) }), "found: %s", found)
		})
	}
}

// findings runs the load without faults of the test binary of package faults, and returns what
// the oracle finds.
func findings(t *testing.T, suite []byte) string {
	t.Helper()
	dir := t.TempDir()
	run := exec.CommandContext(t.Context(), writeSuite(t, suite), "-test.run", "^TestLoad_KeepsPromises$", "-test.timeout=10m", "-test.artifacts", "-test.outputdir", dir)
	run.Dir = ".." // as go test does
	output, err := run.CombinedOutput()
	if err == nil {
		return ""
	}
	var found []byte
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Name() == "findings.txt" {
			found, err = os.ReadFile(path)
		}
		return err
	}))
	require.NotEmpty(t, found, "%s", output)
	return string(found)
}
