package main

import (
	"encoding/json"
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

// serveNoopAsChild does nothing unless this process is a child. Then it runs the no-op
// and exits when its stdin ends, so the child never outlives its parent.
func serveNoopAsChild() {
	port := os.Getenv(noopEnv)
	if port == "" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	server := &http.Server{Addr: net.JoinHostPort("127.0.0.1", port), Handler: noopHandler(), ReadHeaderTimeout: 5 * time.Second}
	fmt.Fprintln(os.Stderr, "speed:", server.ListenAndServe())
	os.Exit(statusFailed)
}

// noopHandler decodes calls as any JSON server must, and returns a fixed answer.
func noopHandler() http.Handler {
	mux := http.NewServeMux()
	change := func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			SeatID string `json:"seat_id"`
			UserID string `json:"user_id"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10)).Decode(&body); err != nil {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"reserved","seat_ids":["S1"]}`)
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
