package functions

import (
	"net/http"

	"github.com/rs/cors"
)

// preflightAge is how long a browser may keep the answer to a preflight, s.
const preflightAge = 600

// allowing lets the scripts of origins call a function of the method, and read its
// answers. Cookies stay out: whose request it is, a token or the body says.
func allowing(origins []string, method string, next http.Handler) http.Handler {
	methods := []string{method}
	if method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: methods,
		AllowedHeaders: []string{"Authorization", "Content-Type", "If-None-Match", "Last-Event-ID"},
		ExposedHeaders: []string{"Age-Ms", "Allow", "ETag", "Retry-After", "WWW-Authenticate"},
		MaxAge:         preflightAge,
	}).Handler(next)
}
