package config_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/config"
)

// rows returns the default of each variable in a table.
func rows(table string) map[string]string {
	found := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^ ([A-Z_]+) {2,}(.{12}) {2}\S`).FindAllStringSubmatch(table, -1) {
		found[row[1]] = strings.TrimSpace(row[2])
	}
	return found
}

func TestTable_HasEveryVariable(t *testing.T) {
	t.Parallel()
	table := config.Table(targets)
	found := rows(table)
	require.Equal(t, "8080", found["PORT"])
	require.Equal(t, "embedded", found["REDIS_URL"])
	for field := range reflect.TypeFor[config.Config]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		if name != "" && name != "K_SERVICE" && name != "K_SINK" && name != "KUBERNETES_SERVICE_HOST" { // Kubernetes sets these
			require.Contains(t, found, name)
			require.NotEmpty(t, field.Tag.Get("values"), name)
		}
	}
	require.NotContains(t, found, "K_SERVICE")
	require.Contains(t, table, "master_name=")
	require.Contains(t, table, "one of reserve, buy, or unset")
	require.Contains(t, table, "1s to MAX_HOLD")
	require.NotContains(t, table, "$")
	for line := range strings.Lines(table) {
		require.LessOrEqual(t, len([]rune(line)), 100)
	}
}

func TestTable_AgreesWithREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \\|(.*?)\\|").FindAllStringSubmatch(string(readme), -1) {
		defaults := strings.Split(row[2], ";") // of several names; the last is also that of the rest
		for i, name := range strings.Split(row[1], ", ") {
			documented[strings.Trim(name, "`")] = strings.Trim(defaults[min(i, len(defaults)-1)], " `")
		}
	}
	require.Equal(t, documented, rows(config.Table(targets)))
}
