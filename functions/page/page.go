// Package page serves the hall as people see it who buy a ticket: one page, its
// style and its scripts, all of it in the binary. It needs the other functions at
// the same origin.
package page

import (
	"embed"
	"encoding/json"
	"net/http"
	"path"

	"booking/functions/internal/api"
)

//go:embed index.html page.css page.js hall.js live.js mine.js
var files embed.FS

// types are those of the files, by their extension; what the machine knows of
// types must not matter.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
}

// policy keeps the page to what the service serves; the icon is data.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Row is a row of the hall, as the page draws it.
type Row struct {
	Label   string   `json:"label"`
	SeatIDs []string `json:"seat_ids"`
}

// New returns the handler of / and the files below /page/, for a hall of rows.
func New(rows []Row) http.Handler {
	plan, err := json.Marshal(rows)
	if err != nil {
		panic(err) // strings alone
	}
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		name := path.Base(r.URL.Path)
		if r.URL.Path == "/" {
			name = "index.html"
		}
		body, err := files.ReadFile(name)
		switch {
		case name == "plan.json":
			body = plan
		case err != nil:
			api.NotFound(w, r)
			return nil
		}
		h := w.Header()
		h.Set("Content-Type", types[path.Ext(name)])
		h.Set("Cache-Control", "no-cache") // a page and scripts of different versions don't fit
		h.Set("Content-Security-Policy", policy)
		_, _ = w.Write(body) // a client that is gone needs no answer
		return nil
	})
}
