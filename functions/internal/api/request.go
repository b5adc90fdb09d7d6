package api

import (
	"net/http"

	"booking/seatlock"
)

// The headers of a call that is made once, even if it arrives twice
// (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/).
const (
	requestKeyHeader = "Idempotency-Key"
	replayedHeader   = "Idempotent-Replayed"
)

// RequireRequest is for a call that must have an Idempotency-Key. query says what the call asks for.
// The error is a *Problem.
func RequireRequest(r *http.Request, query string) (*seatlock.Request, error) {
	request, err := requestOf(r)
	if err == nil && request == nil {
		err = Invalid("Idempotency-Key is missing; send a new one, like a UUID, with each new request, and the same one with each repeat.")
	}
	if err == nil {
		request.Query = query
	}
	return request, err
}

// requestOf returns the request that the Idempotency-Key of r names, nil without one. The error is
// a *Problem.
func requestOf(r *http.Request) (*seatlock.Request, error) {
	keys := r.Header[requestKeyHeader]
	switch {
	case len(keys) == 0:
		return nil, nil
	case len(keys) > 1 || !seatlock.ValidRequestKey(keys[0]):
		return nil, Invalid("Idempotency-Key must be 1 to 64 printable ASCII characters, sent once; a UUID, for example.")
	}
	return &seatlock.Request{Key: keys[0]}, nil
}

// markReplayed says in the response that it repeats an earlier answer.
func markReplayed(w http.ResponseWriter, request *seatlock.Request) {
	if request != nil && request.Replayed {
		w.Header().Set(replayedHeader, "true")
	}
}
