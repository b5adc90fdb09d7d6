package api

import (
	"context"
	"net/http"
)

type watchKey struct{}

// WithWatch returns the context of a connection whose server detects a hang-up only if a
// call asks for that. watch then cancels the contexts of the connection's requests when
// the client hangs up.
func WithWatch(ctx context.Context, watch func()) context.Context {
	return context.WithValue(ctx, watchKey{}, watch)
}

// WatchClient cancels the context of r when its client hangs up, for a response without
// an end. The connection serves no other request after this one.
func WatchClient(w http.ResponseWriter, r *http.Request) {
	if watch, ok := r.Context().Value(watchKey{}).(func()); ok { // other servers always detect a hang-up
		w.Header().Set("Connection", "close")
		watch()
	}
}
