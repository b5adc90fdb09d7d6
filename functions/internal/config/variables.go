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

// variable is a field of Config as an operator sees it.
type variable struct {
	name     string
	fallback string // its value if it is unset; empty if it has none
	unset    string // what that means
	help     string // empty for what Kubernetes sets
	want     string
}

// variables lists them in the order of Config's fields.
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
	_, fallback, _ := strings.Cut(options, "default=")
	return variable{name: name, fallback: fallback, unset: field.Tag.Get("unset"), help: field.Tag.Get("help"), want: field.Tag.Get("want")}
}

// named returns the variable of the name, which there must be.
func named(name string) variable {
	return variables[slices.IndexFunc(variables, func(v variable) bool { return v.name == name })]
}

// meaningWidth is how long a line of a meaning may be, characters. It has room for a
// URL of Sentinel.
const meaningWidth = 58

// Table returns a table of the variables for an operator: name, default and meaning;
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
		want := os.Expand(v.want, func(key string) string {
			switch key {
			case "FUNCTIONS":
				return strings.Join(targets, ", ")
			case "URL":
				var forms []string
				for _, mode := range redisclient.Modes {
					forms = append(forms, redisclient.ExampleURLs[mode]+" ("+mode+")")
				}
				return strings.Join(forms, ", ")
			}
			return key
		})
		t.AppendRow(table.Row{v.name, cmp.Or(v.fallback, v.unset), v.help + ": " + want})
	}
	return t.Render()
}
