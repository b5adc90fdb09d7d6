// Package knative_test checks the manifests without a cluster. It renders them and passes them to the
// code that would validate them in one.
package knative_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// variant is one way to render the manifests: the kustomization in dir, with component in place of the
// component instead, or with the components also and second, which are commented out in the file.
type variant struct{ dir, component, instead, also, second string }

var (
	base       = variant{dir: "base"}
	redis      = variant{dir: "redis"}
	plain      = variant{dir: "plain"}
	monitoring = variant{dir: "monitoring"}
	dev        = variant{dir: "overlays/dev"}
	production = variant{dir: "overlays/production"}
	devIstio   = variant{dir: "overlays/dev", component: "istio", instead: "gateway"}
	rush       = variant{dir: "rush"}
	prodIstio  = variant{dir: "overlays/production", component: "istio", instead: "gateway"}
	identified = variant{dir: "overlays/production", also: "identity"}
	plainSells = variant{dir: "plain", also: "seller"}
	relayed    = variant{dir: "overlays/production", also: "relay"}
	plainRelay = variant{dir: "plain", also: "relay"}
	brokered   = variant{dir: "overlays/production", also: "relay", second: "sinkbinding"}
)

var variants = []variant{base, redis, plain, monitoring, dev, production, devIstio, prodIstio, identified, plainSells, relayed, plainRelay, brokered, rush}

func (v variant) String() string {
	return strings.TrimSuffix(v.dir+" with "+v.component+v.also+v.second, " with ")
}

// set is the objects that kubectl would apply.
type set []object

// object is one document of a set.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string            `json:"name"`
		Namespace string            `json:"namespace"`
		Labels    map[string]string `json:"labels"`
	} `json:"metadata"`
	yaml []byte
}

func (o object) String() string { return o.Kind + " " + o.Metadata.Name }

// gvk returns the group, version and kind of o, for example apps/v1/Deployment.
func (o object) gvk() string { return o.APIVersion + "/" + o.Kind }

// files reads all files of the directory. A variant renders changed copies.
var files = sync.OnceValues(func() (map[string][]byte, error) {
	all := map[string][]byte{}
	root := os.DirFS(".")
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		all[path], err = fs.ReadFile(root, path)
		return err
	})
	return all, err
})

var rendered sync.Map // from variant to func() (string, error)

// render returns the output of kustomize build for v.
func render(t testing.TB, v variant) string {
	t.Helper()
	once, _ := rendered.LoadOrStore(v, sync.OnceValues(func() (string, error) {
		all, err := files()
		if err != nil {
			return "", err
		}
		disk := filesys.MakeFsInMemory()
		for path, content := range all {
			if v.component != "" {
				content = []byte(strings.ReplaceAll(string(content), "  - ../../"+v.instead+" #", "  - ../../"+v.component+" #"))
			}
			for _, also := range []string{v.also, v.second} {
				for _, up := range []string{"../", "../../"} {
					content = []byte(strings.ReplaceAll(string(content), "  # - "+up+also+"\n", "  - "+up+also+"\n"))
				}
			}
			if err := disk.WriteFile("knative/"+path, content); err != nil {
				return "", err
			}
		}
		resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, "knative/"+v.dir)
		if err != nil {
			return "", err
		}
		text, err := resources.AsYaml()
		return string(text), err
	}))
	text, err := once.(func() (string, error))()
	require.NoError(t, err, "kustomize build %s", v)
	return text
}

// parse splits documents into objects.
func parse(documents string) (set, error) {
	var s set
	for document := range strings.SplitSeq(documents, "\n---\n") {
		o := object{yaml: []byte(document)}
		if err := yaml.Unmarshal(o.yaml, &o); err != nil {
			return nil, fmt.Errorf("%w in:\n%s", err, document)
		}
		s = append(s, o)
	}
	return s, nil
}

// rendering returns the objects that v renders.
func rendering(t testing.TB, v variant) set {
	t.Helper()
	s, err := parse(render(t, v))
	require.NoError(t, err)
	return s
}

func TestVariants_RouteByTheirComponent(t *testing.T) {
	t.Parallel()
	for v, want := range map[variant]string{dev: "HTTPRoute", production: "HTTPRoute", devIstio: "VirtualService", prodIstio: "VirtualService"} {
		require.Contains(t, render(t, v), "kind: "+want, "%s", v)
		for _, other := range []string{"HTTPRoute", "VirtualService"} {
			if other != want {
				require.NotContains(t, render(t, v), "kind: "+other, "%s", v)
			}
		}
	}
}

func TestIdentity_SetsIssuerAndAllowsItsTraffic(t *testing.T) {
	t.Parallel()
	without, with := render(t, production), render(t, identified)
	for _, want := range []string{"AUTH_ISSUER: https://issuer.example.com", "AUTH_AUDIENCE: booking", "port: 443"} {
		require.NotContains(t, without, want)
		require.Contains(t, with, want)
	}
}

func TestSeller_MountsTheToken(t *testing.T) {
	t.Parallel()
	require.NotContains(t, render(t, plain), "booking-seller")
	for _, v := range []variant{production, plainSells} {
		for _, p := range pods(rendering(t, v)) {
			file := p.environment(rendering(t, v))["SELLER_TOKEN_FILE"]
			require.Equal(t, "/etc/booking/seller/token", file, p.owner)
			for _, c := range p.own() {
				require.Len(t, c.VolumeMounts, 1, p.owner)
				require.Equal(t, path.Dir(file), c.VolumeMounts[0].MountPath)
				require.Empty(t, c.VolumeMounts[0].SubPath, "a file mounted alone is not updated")
			}
		}
	}
}
