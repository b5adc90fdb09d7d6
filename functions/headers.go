package functions

import "net/http"

// What every answer says to a browser, of what OWASP's REST Security Cheat Sheet has
// for APIs: it is of the type that it says, it is no document that could load, run or
// be framed, and its address goes to nobody. The page and the docs, which are
// documents, set a policy of their own. Strict-Transport-Security is for whoever ends
// TLS to say. The values are shared between answers: nothing may change them.
var (
	noSniff    = []string{"nosniff"}
	noDocument = []string{"default-src 'none'; frame-ancestors 'none'"}
	noReferrer = []string{"no-referrer"}
)

// securing sets those headers. A key that is not in its canonical form would be
// another header than the one that Set replaces.
func securing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-Content-Type-Options"] = noSniff
		h["Content-Security-Policy"] = noDocument
		h["Referrer-Policy"] = noReferrer
		next.ServeHTTP(w, r)
	})
}
