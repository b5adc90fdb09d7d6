// Package page serves the web page on which buyers choose, hold and buy seats. The binary
// contains its files. The page calls the other functions at its own origin, without a token.
package page

import (
	"context"
	"embed"
	"encoding/json"
	"net/http"
	"path"

	"booking/functions/internal/api"
)

//go:embed index.html page.css page.js seatmap.js session.js updates.js
var files embed.FS

// contentTypes maps extensions to media types. The types known to the host may differ.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
}

// policy limits the page to resources of its own origin. The icon is a data URL.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Row is a row of the seat map.
type Row struct {
	Label   string   `json:"label"`
	SeatIDs []string `json:"seat_ids"`
}

// Access says which calls need no token. The page offers only these.
type Access struct {
	Hold bool `json:"hold"` // reserve, extend and release
	Sell bool `json:"sell"` // buy
}

// New returns the handler of / and of the files below /page/. rows returns the rows of an
// event that the page shows; its error is a *api.Problem, or one of seatlock.
func New(rows func(ctx context.Context, event string) ([]Row, error), access Access) http.Handler {
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		name := path.Base(r.URL.Path)
		if r.URL.Path == "/" {
			name = "index.html"
			if err := api.CheckQuery(r.URL.Query(), "user_id"); err != nil {
				return err
			}
		}
		var body []byte
		switch name {
		case "plan.json":
			event, _, err := api.DecodeQuery(r)
			if err != nil {
				return err
			}
			found, err := rows(r.Context(), event)
			if err != nil {
				return err
			}
			body = marshal(found)
		case "access.json":
			body = marshal(access)
		default:
			var err error
			if body, err = files.ReadFile(name); err != nil {
				api.NotFound(w, r)
				return nil //nolint:nilerr // the only error is a file that does not exist
			}
		}
		h := w.Header()
		h.Set("Content-Type", contentTypes[path.Ext(name)])
		h.Set("Cache-Control", "no-cache") // scripts of another version would not fit the page
		h.Set("Content-Security-Policy", policy)
		_, _ = w.Write(body) // fails only if the client is gone
		return nil
	})
}

func marshal(document any) []byte {
	body, err := json.Marshal(document)
	if err != nil {
		panic(err) // unreachable: the documents have only strings and bools
	}
	return body
}
