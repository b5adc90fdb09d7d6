package config

import (
	"cmp"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"booking/functions/internal/redisclient"
)

// variable is a field of Config as operators see it.
type variable struct {
	name      string
	byDefault string // its default value; empty if it has none
	unset     string // what unset means, if it has no default value
	help      string // empty for the variables of Kubernetes
	values    string // which are valid
}

// variables lists the variables in the order of Config's fields.
var variables = func() (all []variable) {
	for field := range reflect.TypeFor[Config]().Fields() {
		if v := newVariable(field); v.name != "" {
			all = append(all, v)
		}
	}
	return all
}()

func newVariable(field reflect.StructField) variable {
	name, options, _ := strings.Cut(field.Tag.Get("env"), ",")
	_, byDefault, _ := strings.Cut(options, "default=")
	return variable{name: name, byDefault: byDefault, unset: field.Tag.Get("unset"), help: field.Tag.Get("help"), values: field.Tag.Get("values")}
}

// lookup returns the variable of a name, which must exist.
func lookup(name string) variable {
	return variables[slices.IndexFunc(variables, func(v variable) bool { return v.name == name })]
}

// meaningWidth limits the lines of a meaning, in characters. A URL of Sentinel fits.
const meaningWidth = 58

// Table returns a table of the variables for operators: name, default and meaning.
// targets are the functions that FUNCTION_TARGET may name.
func Table(targets []string) string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.OptionsNoBordersAndSeparators
	t.Style().Format.Header = text.FormatDefault
	t.SuppressTrailingSpaces()
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 3, WidthMax: meaningWidth, WidthMaxEnforcer: text.WrapSoft}})
	t.AppendHeader(table.Row{"variable", "default", "meaning"})
	for _, v := range variables {
		if v.help == "" {
			continue
		}
		values := os.Expand(v.values, func(key string) string {
			switch key {
			case "FUNCTIONS":
				return strings.Join(targets, ", ")
			case "URL":
				var urls []string
				for _, mode := range redisclient.Modes {
					urls = append(urls, redisclient.ExampleURLs[mode]+" ("+mode+")")
				}
				return strings.Join(urls, ", ")
			}
			return key
		})
		t.AppendRow(table.Row{v.name, cmp.Or(v.byDefault, v.unset), v.help + ": " + values})
	}
	return t.Render()
}
