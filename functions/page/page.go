// Package page serves the web page on which buyers choose, hold and buy seats. The binary
// contains its files. The page calls the other functions at its own origin, without a token.
package page

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
)

//go:embed *.html *.css *.js
var files embed.FS

// contentTypes maps extensions to media types. The types known to the host may differ.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
}

// policy limits the page to resources of its own origin. The icon is a data URL.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors "

// Settings are what the page must know of the service.
type Settings struct {
	Hold     bool `json:"hold"`      // whether reserve, extend and release need no token: the page offers them only then
	Sell     bool `json:"sell"`      // whether buy needs no token
	MaxSeats int  `json:"max_seats"` // of a call

	// CheckoutURL is where a buyer pays: a URL with {event_id}, {seat_ids} and {user_id}, which the page
	// fills in. Empty: the page sells by itself, if Sell is set.
	CheckoutURL string `json:"checkout_url,omitempty"`

	// Event is what the seller said of the event, as in the answer of GET /events/{event_id}.
	Event json.RawMessage `json:"event,omitempty"`

	// FrameAncestors are the origins whose pages may show the page in a frame.
	FrameAncestors []string `json:"-"`
}

// Catalog is the part of catalog.Catalog that the page uses.
type Catalog interface {
	Document(ctx context.Context, event string) ([]byte, error)
	PlanVersion(ctx context.Context, event string) (int64, error)
	Drawing(ctx context.Context, event string) (catalog.Drawing, error)
}

// New returns the handler of / and of the files below /page/. plan.json is the Drawing of an event,
// settings.json the settings, with the Event.
func New(c Catalog, settings Settings) http.Handler {
	documents := map[string]*document{}
	names, _ := fs.Glob(files, "*") // the pattern is valid
	for _, name := range names {
		body, _ := files.ReadFile(name) // it is embedded
		documents[name] = compress(body)
	}
	drawings := newDrawings(c)
	policy := policy + cmp.Or(strings.Join(settings.FrameAncestors, " "), "'none'")
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		name := path.Base(r.URL.Path)
		if r.URL.Path == "/" {
			name = "index.html"
			if err := api.CheckQuery(r.URL.Query(), "user_id"); err != nil {
				return err
			}
		}
		found := documents[name]
		if name == "plan.json" || name == "settings.json" {
			event, _, err := api.DecodeQuery(r)
			if err != nil {
				return err
			}
			if name == "plan.json" {
				found, err = drawings.get(r.Context(), event)
			} else {
				found, err = settings.of(r.Context(), c, event)
			}
			if err != nil {
				return err
			}
		}
		if found == nil {
			api.NotFound(w, r)
			return nil
		}
		h := w.Header()
		h.Set("Content-Type", contentTypes[path.Ext(name)])
		h.Set("Content-Security-Policy", policy)
		return found.write(w, r)
	})
}

// of returns the settings with an event.
func (s Settings) of(ctx context.Context, c Catalog, event string) (_ *document, err error) {
	if s.Event, err = c.Document(ctx, event); err != nil {
		return nil, err
	}
	return newDocument(s), nil
}

// newDocument returns the document of a value that JSON can encode.
func newDocument(value any) *document {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err) // unreachable: the types have only strings, bools and finite numbers
	}
	return compress(body)
}
