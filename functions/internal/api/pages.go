package api

import (
	"bytes"
	"log/slog"
	"net/http"
	"time"
)

// pageTimeout is how long a client may take to read a page.
const pageTimeout = 10 * time.Second

// WritePages answers with status 200 and a body of pages. next appends the next page, and
// reports whether there are more. It is called when the page before is written. So even a long body
// needs little memory, and a client that reads slowly is not cut off.
//
// WritePages returns an error of the first page, and has written nothing then. After that the
// status is sent: WritePages logs the error and cuts the answer off, without its last chunk.
func WritePages(w http.ResponseWriter, r *http.Request, contentType string, next func(page *bytes.Buffer) (more bool, err error)) error {
	var page bytes.Buffer
	more, err := next(&page)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentType)
	w.Header()["Cache-Control"] = noStore
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	out := http.NewResponseController(w)
	for {
		_ = out.SetWriteDeadline(time.Now().Add(pageTimeout)) // fails on a test's ResponseRecorder
		if n, _ := w.Write(page.Bytes()); n < page.Len() || !more {
			return nil // the client has left, or has everything
		}
		_ = out.Flush() // if it fails, the next Write does
		page.Reset()
		if more, err = next(&page); err != nil {
			slog.WarnContext(r.Context(), "an answer is cut off", "method", r.Method, "path", r.URL.Path, "error", err)
			_ = out.SetWriteDeadline(time.Now()) // no last chunk, even if a functions host recovers the panic
			panic(http.ErrAbortHandler)
		}
	}
}
