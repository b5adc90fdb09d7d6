package knative_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// function is a row of functions.Table. This module can't import it.
type function struct {
	name  string
	calls []call
}

// call is a call of a function. role is the name of the constant.
type call struct{ method, path, role string }

// sellersOnly reports whether only sellers may make c. Such a call has no public route. Buy is not among
// them: every caller may make it if there are no roles.
func (c call) sellersOnly() bool { return c.role == "RoleSeller" }

// roles are the values of call.role.
var roles = []string{"RoleAnyone", "RoleBuyer", "RoleSellerIfAny", "RoleSeller"}

// functionTable reads functions.Table from its source.
func functionTable(t testing.TB) []function {
	t.Helper()
	var table []function
	ast.Inspect(source(t, "../functions/functions.go"), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != "Table" {
			return true
		}
		for _, row := range elements(spec.Values[0]) {
			table = append(table, functionOf(t, row))
		}
		return false
	})
	require.NotEmpty(t, table)
	return table
}

func functionOf(t testing.TB, row ast.Expr) (f function) {
	t.Helper()
	for _, field := range elements(row) {
		switch pair := field.(*ast.KeyValueExpr); pair.Key.(*ast.Ident).Name {
		case "Name":
			f.name = text(t, pair.Value)
		case "Calls":
			for _, entry := range elements(pair.Value) {
				e := elements(entry) // like {http.MethodPost, "/buy", RoleBuyer}
				method := strings.ToUpper(strings.TrimPrefix(e[0].(*ast.SelectorExpr).Sel.Name, "Method"))
				f.calls = append(f.calls, call{method, text(t, e[1]), e[2].(*ast.Ident).Name})
			}
		}
	}
	require.NotEmpty(t, f.name)
	if f.name != "relay" { // it sends changes, and serves no calls
		require.NotEmpty(t, f.calls, f.name)
	}
	for _, c := range f.calls {
		require.Contains(t, roles, c.role, f.name)
	}
	return f
}

func elements(literal ast.Expr) []ast.Expr { return literal.(*ast.CompositeLit).Elts }

func text(t testing.TB, literal ast.Expr) string {
	t.Helper()
	value, err := strconv.Unquote(literal.(*ast.BasicLit).Value)
	require.NoError(t, err)
	return value
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
