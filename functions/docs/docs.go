// Package docs serves the OpenAPI document and Swagger UI. The binary contains all files.
package docs

import (
	_ "embed"
	"net/http"

	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"

	"booking/functions/internal/api"
)

var (
	//go:embed openapi.json
	openAPI []byte
	//go:embed index.html
	index []byte
	//go:embed start.js
	start []byte
)

// policy limits the page to resources of its own origin. Swagger UI needs inline styles and
// data URLs for its icons.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// New returns the handler of /docs, of the files below it and of /openapi.json.
func New() http.Handler {
	files := statigz.FileServer(static.FS)
	files.OnNotFound = api.NotFound
	assets := http.StripPrefix("/docs/", files)
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		switch r.URL.Path {
		case "/openapi.json":
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(openAPI)
		case "/docs/start.js":
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			_, _ = w.Write(start)
		case "/", "/docs":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", policy)
			_, _ = w.Write(index)
		default:
			assets.ServeHTTP(w, r)
		}
		return nil
	})
}
