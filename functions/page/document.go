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

// maxDrawings limits the bytes of the drawings in memory. One of 100,000 seats has up to about 1 MiB.
const maxDrawings = 32 << 20

// drawings keeps the drawings of the events that were asked for last. It is safe for concurrent use.
type drawings struct {
	catalog  Catalog
	building chan struct{} // has room for one: a large plan takes much memory while it is drawn

	mu    sync.Mutex
	found map[string]drawn // by event; the events without settings share one, under ""
	bytes int
}

// drawn is the drawing of a version of an event's plan.
type drawn struct {
	version int64
	*document
}

func newDrawings(c Catalog) *drawings {
	return &drawings{catalog: c, building: make(chan struct{}, 1), found: map[string]drawn{}}
}

// get returns the drawing of an event's plan as it is now.
func (d *drawings) get(ctx context.Context, event string) (*document, error) {
	version, err := d.catalog.PlanVersion(ctx, event)
	if err != nil {
		return nil, err
	}
	if found := d.find(event, version); found != nil {
		return found, nil
	}
	select {
	case d.building <- struct{}{}:
		defer func() { <-d.building }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if found := d.find(event, version); found != nil { // another call has built it meanwhile
		return found, nil
	}
	found, err := d.catalog.Drawing(ctx, event)
	if err != nil {
		return nil, err
	}
	document := newDocument(newDrawing(found.Plan, found.Shapes))
	d.keep(event, drawn{found.Version, document})
	return document, nil
}

// place returns the key of an event in found.
func place(event string, version int64) string {
	if version == 0 {
		return ""
	}
	return event
}

// find returns the drawing of a version, nil if it is not there.
func (d *drawings) find(event string, version int64) *document {
	d.mu.Lock()
	defer d.mu.Unlock()
	if found := d.found[place(event, version)]; found.version == version {
		return found.document
	}
	return nil
}

// keep keeps a drawing. If there are too many, it forgets any others.
func (d *drawings) keep(event string, latest drawn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := place(event, latest.version)
	d.forget(key)
	d.found[key] = latest
	d.bytes += len(latest.compressed)
	for other := range d.found {
		if d.bytes <= maxDrawings {
			break
		}
		if other != key {
			d.forget(other)
		}
	}
}

func (d *drawings) forget(key string) {
	if old := d.found[key]; old.document != nil {
		d.bytes -= len(old.compressed)
		delete(d.found, key)
	}
}
