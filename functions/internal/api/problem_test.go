package api

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProblems_HaveOneRowForEachCode(t *testing.T) {
	t.Parallel()
	var inTable []string
	for _, p := range Problems() {
		inTable = append(inTable, string(p.Code))
	}
	require.ElementsMatch(t, codeConstants(t), inTable, "problem.go: give each code one row of the table")
}

// codeConstants returns the constants of type Code in problem.go.
func codeConstants(t *testing.T) (codes []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "problem.go", nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Code" {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			codes = append(codes, code)
		}
		return false
	})
	require.NotEmpty(t, codes)
	return codes
}

func TestProblems_AreInOrderOfStatus(t *testing.T) {
	t.Parallel()
	status := 0
	for _, p := range Problems() {
		require.GreaterOrEqual(t, p.Status, status, p.Code)
		status = p.Status
	}
}

func TestNewProblem_HasTheStatusOfItsCode(t *testing.T) {
	t.Parallel()
	for _, row := range Problems() {
		p := NewProblem(row.Code, "A sentence.")
		require.Equal(t, row.Status, p.Status)
		require.NotEmpty(t, http.StatusText(row.Status), row.Code)
		require.Equal(t, http.StatusText(row.Status), p.Title)
	}
}

func TestProblemOf_HasTheCodeOfItsCause(t *testing.T) {
	t.Parallel()
	for _, row := range Problems() {
		if row.Cause == nil {
			continue
		}
		p := problemOf(http.MethodPost, row.Cause)
		require.Equal(t, row.Code, p.Code)
		require.Equal(t, row.Detail, p.Detail)
		require.NotEmpty(t, p.Detail, "problem.go: a code with a cause needs a detail")
	}
	require.Equal(t, CodeInternal, problemOf(http.MethodPost, errors.New("anything")).Code)
}
