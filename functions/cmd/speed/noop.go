package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// noopEnv makes a process that has it the server that does nothing.
const noopEnv = "SPEED_DOES_NOTHING"

// doesNothing runs that server, where this process is to be it, until its stdin ends,
// which is when the process that started it is gone. It is false where it is not.
func doesNothing() bool {
	port := os.Getenv(noopEnv)
	if port == "" {
		return false
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	server := &http.Server{Addr: net.JoinHostPort("127.0.0.1", port), Handler: noop(), ReadHeaderTimeout: 5 * time.Second}
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "speed:", err)
		os.Exit(statusFailed)
	}
	return true
}

// noop reads requests as any server of JSON has to, and answers them from nothing.
func noop() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reserve", func(w http.ResponseWriter, r *http.Request) {
		var sent struct {
			SeatID string `json:"seat_id"`
			UserID string `json:"user_id"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10)).Decode(&sent); err != nil {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"reserved"}`)
	})
	mux.HandleFunc("GET /seats/{seat_id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"seat_id":"`+r.PathValue("seat_id")+`","status":"Available"}`)
	})
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	return mux
}
