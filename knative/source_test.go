package knative_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// function is a row of functions.Table. This module can't import it.
type function struct {
	name  string
	paths []string // patterns of http.ServeMux
}

// functionTable reads functions.Table from its source.
func functionTable(t testing.TB) []function {
	t.Helper()
	var table []function
	ast.Inspect(source(t, "../functions/functions.go"), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != "Table" {
			return true
		}
		for _, entry := range spec.Values[0].(*ast.CompositeLit).Elts {
			texts := literals(entry.(*ast.CompositeLit))
			paths := slices.Clone(texts[1:])
			slices.Sort(paths)
			table = append(table, function{texts[0], slices.Compact(paths)}) // a path may have several methods
		}
		return false
	})
	require.NotEmpty(t, table)
	for _, f := range table {
		require.NotEmpty(t, f.paths, f.name)
	}
	return table
}

// literals returns the strings in lit, without those in function literals.
func literals(lit *ast.CompositeLit) []string {
	var texts []string
	ast.Inspect(lit, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if text, err := strconv.Unquote(l.Value); err == nil {
				texts = append(texts, text)
			}
		}
		_, isFunc := n.(*ast.FuncLit)
		return !isFunc
	})
	return texts
}

// variables reads the names of the environment variables from the source of the configuration.
func variables(t testing.TB) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	ast.Inspect(source(t, "../functions/internal/config/config.go"), func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if !ok || field.Tag == nil {
			return true
		}
		tag, err := strconv.Unquote(field.Tag.Value)
		require.NoError(t, err)
		name, _, _ := strings.Cut(reflect.StructTag(tag).Get("env"), ",")
		names[name] = true
		return true
	})
	require.Contains(t, names, "REDIS_URL")
	return names
}

func source(t testing.TB, path string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	return file
}
