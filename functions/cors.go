package functions

import (
	"net/http"

	"github.com/rs/cors"
)

// preflightAge is how long a browser may cache the response to a preflight, s.
const preflightAge = 600

// withCORS lets scripts of origins call a path by the methods and read its responses. It
// doesn't allow cookies: the token or the body names the user.
func withCORS(origins, methods []string, next http.Handler) http.Handler {
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: methods,
		AllowedHeaders: []string{"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID"},
		ExposedHeaders: []string{"Age-Ms", "Allow", "ETag", "Idempotent-Replayed", "Retry-After", "WWW-Authenticate"},
		MaxAge:         preflightAge,
	}).Handler(next)
}
