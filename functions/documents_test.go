package functions_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/internal/api"
)

// reference is the document that lists the calls, the problems and the settings.
const reference = "functions/README.md"

// rolesInDocuments are the roles as the documents name them.
var rolesInDocuments = map[functions.Role]string{
	functions.RoleAnyone: "all", functions.RoleBuyer: "buyer", functions.RoleSellerIfAny: "seller", functions.RoleSeller: "seller",
}

func readReference(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../" + reference)
	require.NoError(t, err)
	return string(text)
}

func TestTable_EachFunctionIsInTheReference(t *testing.T) {
	t.Parallel()
	text := readReference(t)
	for _, f := range functions.Table {
		for i, c := range f.Calls {
			row := fmt.Sprintf("| `%s %s`", c.Method, strings.TrimSuffix(c.Path, "{$}"))
			if f.Files && i > 0 { // a row has them all
				continue
			}
			found := regexp.MustCompile("(?m)^" + regexp.QuoteMeta(row) + `[^|]*\| (\w+) \|`).FindStringSubmatch(text)
			if found == nil {
				t.Errorf("%s: add a row that begins with %s to the table of calls", reference, row)
			} else if found[1] != rolesInDocuments[c.Role] {
				t.Errorf("%s: the row %s names %s; write %s", reference, row, found[1], rolesInDocuments[c.Role])
			}
		}
	}
}

func TestNames_AreThoseOfTheReference(t *testing.T) {
	t.Parallel()
	text := readReference(t)
	row := regexp.MustCompile("(?m)^\\| `FUNCTION_TARGET` .*$").FindString(text)
	require.NotEmpty(t, row, "%s: the table of variables has no row `FUNCTION_TARGET`", reference)
	var names []string
	for _, match := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(row, -1) {
		names = append(names, match[1])
	}
	require.Equal(t, functions.Names(), names, "%s: name the functions in the row `FUNCTION_TARGET`", reference)
}

func TestTable_EachFunctionIsInTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromFile("docs/openapi.json")
	require.NoError(t, err)
	roles := map[string]string{} // of the operations that need a token; all can do without if there are no roles
	for _, f := range functions.Table {
		for _, c := range f.Calls {
			if item := doc.Paths.Value(c.Path); !f.Files && (item == nil || item.GetOperation(c.Method) == nil) {
				t.Errorf("functions/docs/openapi.json: add %s %s to paths", c.Method, c.Path)
			}
			roles[c.Method+" "+c.Path] = rolesInDocuments[c.Role]
		}
	}
	none, buyer, seller := openapi3.SecurityRequirement{}, openapi3.SecurityRequirement{"buyer": {}}, openapi3.SecurityRequirement{"seller": {}}
	security := map[string]openapi3.SecurityRequirements{"all": {}, "buyer": {none, buyer, seller}, "seller": {none, seller}}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			role := roles[method+" "+path]
			switch {
			case path == "/healthz" || path == "/readyz":
				role = "all"
			case role == "":
				t.Errorf("functions/docs/openapi.json: no function has %s %s", method, path)
				continue
			}
			if operation.Security == nil {
				t.Errorf("functions/docs/openapi.json: add security to %s %s", method, path)
				continue
			}
			require.Equal(t, security[role], *operation.Security, "functions/docs/openapi.json: security of %s %s, whose role is %s", method, path, role)
		}
	}
	require.NotEmpty(t, doc.Servers)
}

// A function has a public route, unless only sellers may make its calls. The tests of module knative check the
// manifests themselves, and that only the calls of others are routed.
func TestTable_EachFunctionHasItsManifests(t *testing.T) {
	t.Parallel()
	for _, f := range functions.Table {
		public := slices.ContainsFunc(f.Calls, func(c functions.Call) bool { return c.Role != functions.RoleSeller })
		for path, route := range map[string]string{
			"knative/gateway/httproute.yaml":    "hostname: " + f.Name + ".booking.svc.",
			"knative/istio/virtualservice.yaml": "authority: " + f.Name + ".booking.svc.",
		} {
			manifest, err := os.ReadFile("../" + path)
			require.NoError(t, err)
			switch routed := strings.Contains(string(manifest), route); {
			case public && !routed:
				t.Errorf("%s: add function %s: %q is missing", path, f.Name, route)
			case routed && !public:
				t.Errorf("%s: remove function %s: only sellers may make its calls", path, f.Name)
			}
		}
		manifests := map[string]string{
			"knative/base/" + f.Name + ".yaml":     "value: " + f.Name + "\n",
			"knative/base/" + f.Name + "-pdb.yaml": "name: " + f.Name + "\n",
			"knative/base/kustomization.yaml":      "- " + f.Name + ".yaml\n",
		}
		if len(f.Calls) == 0 { // Knative would scale it to zero
			manifests = map[string]string{"knative/" + f.Name + "/deployment.yaml": "value: " + f.Name + "\n"}
		}
		for path, text := range manifests {
			if manifest, err := os.ReadFile("../" + path); err != nil || !strings.Contains(string(manifest), text) {
				t.Errorf("%s: add function %s: %q is missing", path, f.Name, strings.TrimSpace(text))
			}
		}
	}
}

func TestProblems_EachCodeIsInTheReference(t *testing.T) {
	t.Parallel()
	text := readReference(t)
	rows := regexp.MustCompile("(?m)^\\| \\d{3} \\| `\\w+` \\|").FindAllString(text, -1)
	var want []string
	for _, p := range api.Problems() {
		want = append(want, fmt.Sprintf("| %d | `%s` |", p.Status, p.Code))
	}
	require.ElementsMatch(t, want, rows, "%s: the table of problems has other rows than functions/internal/api/problem.go", reference)
}

func TestProblems_EachCodeIsInTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("docs/openapi.json")
	require.NoError(t, err)
	var doc any
	require.NoError(t, json.Unmarshal(source, &doc))
	documented := map[string]bool{}
	addCodes(doc, documented)
	var want []string
	for _, p := range api.Problems() {
		want = append(want, string(p.Code))
	}
	require.ElementsMatch(t, want, slices.Collect(maps.Keys(documented)),
		"functions/docs/openapi.json: the responses have other codes than functions/internal/api/problem.go")
}

// addCodes adds the values of each schema named code in a part of the document.
func addCodes(part any, codes map[string]bool) {
	switch part := part.(type) {
	case []any:
		for _, element := range part {
			addCodes(element, codes)
		}
	case map[string]any:
		if schema, ok := part["code"].(map[string]any); ok {
			values, _ := schema["enum"].([]any)
			for _, value := range values {
				codes[value.(string)] = true
			}
		}
		for _, member := range part {
			addCodes(member, codes)
		}
	}
}
