package config

import (
	"slices"
	"strings"

	"github.com/hbollon/go-edlib"
)

// longName is the length from which Misspelled allows two edits in a name, not only one.
// Two edits turn a shorter name into another common one: PORT into HOST, REDIS_CA into
// REDIS_DB, REDIS_CERT into REDIS_PORT.
const longName = 11

// Misspelling is an unknown variable, and the variable that is probably meant.
type Misspelling struct{ Name, Meant string }

// Misspelled returns the misspellings in environ, which has NAME=value entries. It
// ignores what Kubernetes sets in a pod for each Service of its namespace, like
// METRIC_PORT=tcp://10.0.0.1:80
// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
func Misspelled(environ []string) []Misspelling {
	var found []Misspelling
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if slices.ContainsFunc(variables, func(v variable) bool { return v.name == name }) || strings.Contains(value, "://") && strings.HasSuffix(name, "_PORT") {
			continue
		}
		for _, v := range variables {
			edits := edlib.OSADamerauLevenshteinDistance(strings.ToUpper(name), v.name)
			if v.help != "" && (edits <= 1 || edits == 2 && len(v.name) >= longName) {
				found = append(found, Misspelling{name, v.name})
				break
			}
		}
	}
	return found
}
