package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// noopEnv is the environment variable that makes a process the no-op. Its value is the
// port.
const noopEnv = "SPEED_DOES_NOTHING"

// serveAsChild does nothing unless this process is a child. Then it runs the no-op, or the plain
// handler, and exits when its stdin ends, so the child never outlives its parent.
func serveAsChild() {
	port := os.Getenv(noopEnv)
	if port == "" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	handler := noopHandler()
	if plain := os.Getenv(plainEnv); plain != "" {
		var err error
		if handler, err = plainHandler(plain); err != nil {
			fmt.Fprintln(os.Stderr, "speed:", err)
			os.Exit(statusFailed)
		}
	}
	server := &http.Server{Addr: net.JoinHostPort("127.0.0.1", port), Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	fmt.Fprintln(os.Stderr, "speed:", server.ListenAndServe())
	os.Exit(statusFailed)
}

// noopHandler decodes calls as any JSON server must, and returns a fixed answer.
func noopHandler() http.Handler {
	mux := http.NewServeMux()
	change := func(w http.ResponseWriter, r *http.Request) {
		if _, ok := decodeCall(w, r); ok {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, reservedAnswer)
		}
	}
	for _, path := range []string{"/reserve", "/reserve-best", "/release"} {
		mux.HandleFunc("POST "+path, change)
	}
	mux.HandleFunc("GET /seats/{seat_id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"seat_id":"`+r.PathValue("seat_id")+`","status":"Available"}`)
	})
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	return mux
}
