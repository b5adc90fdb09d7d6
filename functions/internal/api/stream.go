package api

import (
	"context"
	"net/http"
)

type watchKey struct{}

// WithWatch returns the context of a connection whose server looks for a hang-up only
// when a call asks for it. watch then ends the contexts of the connection's requests
// when the client hangs up.
func WithWatch(ctx context.Context, watch func()) context.Context {
	return context.WithValue(ctx, watchKey{}, watch)
}

// WatchClient makes the context of r end when its client hangs up, for an answer that
// has no end of its own. The connection serves no other request after this one.
func WatchClient(w http.ResponseWriter, r *http.Request) {
	if watch, ok := r.Context().Value(watchKey{}).(func()); ok { // every other server watches by itself
		w.Header().Set("Connection", "close")
		watch()
	}
}
