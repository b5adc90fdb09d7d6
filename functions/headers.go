package functions

import "net/http"

// Headers of every response, as OWASP's REST Security Cheat Sheet advises for APIs. The
// page and the docs set a Content-Security-Policy of their own. The proxy that ends TLS
// sets Strict-Transport-Security. All responses share the values, so don't change one.
var (
	noSniff    = []string{"nosniff"}
	noDocument = []string{"default-src 'none'; frame-ancestors 'none'"}
	noReferrer = []string{"no-referrer"}
)

// securityHeaders adds those headers. It writes their canonical names, as Header.Set
// would, because a handler replaces them with Set.
func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-Content-Type-Options"] = noSniff
		h["Content-Security-Policy"] = noDocument
		h["Referrer-Policy"] = noReferrer
		next.ServeHTTP(w, r)
	})
}
