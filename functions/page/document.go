package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/singleflight"

	"booking/functions/internal/api"
)

// document is a compressed body. It does not change.
type document struct {
	compressed []byte
	etag       string // of the body
}

func compress(body []byte) *document {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body) // a Buffer never fails
	_ = w.Close()
	sum := sha256.Sum256(body)
	return &document{compressed: b.Bytes(), etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
}

// write writes the document, or 304 if the caller has it. Browsers ask each time, because scripts of
// another version would not fit the page.
func (d *document) write(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("ETag", d.etag)
	h.Set("Cache-Control", "no-cache") // store it, but revalidate it
	h.Add("Vary", "Accept-Encoding")
	if slices.Contains(api.Tags(r.Header.Values("If-None-Match")), d.etag) {
		h.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if api.AcceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(d.compressed)))
		_, _ = w.Write(d.compressed) // the client may have left
		return nil
	}
	plain, err := gzip.NewReader(bytes.NewReader(d.compressed))
	if err != nil {
		return err
	}
	_, _ = io.Copy(w, plain) // the client may have left
	return nil
}

// maxDrawings limits the bytes of the drawings in memory. One of 100,000 seats has about 1 MiB.
const maxDrawings = 32 << 20

// drawings keeps the drawings of the events that were asked for last. It is safe for concurrent use.
type drawings struct {
	catalog Catalog
	loads   singleflight.Group

	mu    sync.Mutex
	found map[string]drawn
	bytes int
}

// drawn is the drawing of a version of an event's plan.
type drawn struct {
	version int64
	*document
}

func newDrawings(c Catalog) *drawings { return &drawings{catalog: c, found: map[string]drawn{}} }

// get returns the drawing of an event's plan as it is now.
func (d *drawings) get(ctx context.Context, event string) (*document, error) {
	version, err := d.catalog.PlanVersion(ctx, event)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	found := d.found[event]
	d.mu.Unlock()
	if found.document != nil && found.version == version {
		return found.document, nil
	}
	loaded, err, _ := d.loads.Do(event+" "+strconv.FormatInt(version, 10), func() (any, error) {
		return d.load(context.WithoutCancel(ctx), event) // others wait for it, too
	})
	if err != nil {
		return nil, err
	}
	return loaded.(*document), nil
}

func (d *drawings) load(ctx context.Context, event string) (*document, error) {
	found, err := d.catalog.Drawing(ctx, event)
	if err != nil {
		return nil, err
	}
	document := newDocument(newDrawing(found.Plan, found.Shapes))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(event)
	d.found[event] = drawn{version: found.Version, document: document}
	d.bytes += len(document.compressed)
	for other := range d.found {
		if d.bytes <= maxDrawings {
			break
		}
		if other != event {
			d.forget(other)
		}
	}
	return document, nil
}

func (d *drawings) forget(event string) {
	if old := d.found[event]; old.document != nil {
		d.bytes -= len(old.compressed)
		delete(d.found, event)
	}
}
