// Package auth authenticates callers by OpenID Connect tokens of one issuer
// (https://openid.net/specs/openid-connect-core-1_0.html), sent as bearer tokens
// (https://www.rfc-editor.org/rfc/rfc6750).
package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// maxToken is the limit of a token, bytes. Tokens with dozens of claims have two or three
// thousand.
const maxToken = 8 << 10

// algorithms are the accepted ones. With each of them only the issuer can sign, so "none"
// and those with a shared secret are not among them.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// Options say which tokens are valid.
type Options struct {
	Issuer   string           // the iss of a token, and the URL of the issuer
	Audience string           // aud must contain it
	Timeout  time.Duration    // of a request, including the wait for the issuer
	Now      func() time.Time // nil means time.Now
}

// Verifier verifies tokens with the cached keys of the issuer.
type Verifier struct {
	opt    Options
	config *oidc.Config
	keys   *keyCache
}

// New returns a Verifier and starts to fetch the issuer's keys.
func New(opt Options) *Verifier {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	config := &oidc.Config{ClientID: opt.Audience, Now: opt.Now}
	for _, algorithm := range algorithms {
		config.SupportedSigningAlgs = append(config.SupportedSigningAlgs, string(algorithm))
	}
	return &Verifier{opt: opt, config: config, keys: newKeyCache(opt)}
}

// Middleware passes a request with a valid token to next, with its user (api.WithUser). It
// answers others 401 or 403. It answers 503 if it needs the issuer's keys and can't fetch
// them.
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), v.opt.Timeout)
		defer cancel()
		user, err := v.user(ctx, r.Header["Authorization"])
		if err != nil {
			var c *challenge
			if errors.As(err, &c) {
				w.Header().Set("WWW-Authenticate", c.header())
			}
			api.WriteError(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(api.WithUser(ctx, user)))
	})
}

// user returns the user of the token in the fields of Authorization. The error is a
// *challenge or an *api.Problem.
func (v *Verifier) user(ctx context.Context, fields []string) (string, error) {
	token, err := bearer(fields)
	if err != nil {
		return "", err
	}
	keys := &tokenKeys{cache: v.keys}
	verified, err := oidc.NewVerifier(v.opt.Issuer, keys, v.config).Verify(ctx, token)
	if err == nil {
		err = checkEvents(verified)
	}
	var expired *oidc.TokenExpiredError
	switch {
	case errors.Is(keys.err, errNoKeys):
		return "", api.NewProblem(api.CodeUnavailable, "Your token can't be verified right now, and this request has changed nothing. Send it again.")
	case errors.Is(keys.err, errTokenType), errors.Is(err, errTokenType):
		return "", refuse(invalidToken, "The token has another purpose: its typ must be absent, JWT or at+jwt, and it must not have events. Send the access token or the ID token that your issuer signed for this service.")
	case errors.As(err, &expired):
		return "", refuse(invalidToken, "The token has expired; get a new one.")
	case err != nil:
		slog.DebugContext(ctx, "token refused", "error", err)
		return "", refuse(invalidToken, "The token is not valid here: send one that your issuer signed for this service, and that is valid now.")
	case !seatlock.ValidUser(verified.Subject):
		return "", api.NewProblem(api.CodeForbidden, "The subject of your token can't be a user_id: that "+api.UserForm+".")
	}
	return verified.Subject, nil
}

// tokenKeys is the oidc.KeySet for one token. It keeps its error, because the verifier
// returns only the text.
type tokenKeys struct {
	cache *keyCache
	err   error
}

// VerifySignature returns the token's payload if one of the keys signed it.
func (k *tokenKeys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.verify(ctx, token)
	k.err = err
	return payload, err
}

func (k *tokenKeys) verify(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, err
	}
	if err := checkType(signed); err != nil {
		return nil, err
	}
	return k.cache.verify(ctx, signed)
}

// bearer returns the token in the fields of Authorization.
func bearer(fields []string) (string, error) {
	if len(fields) > 1 {
		return "", refuse(invalidRequest, "There is more than one Authorization header; send one.")
	}
	scheme, token, _ := strings.Cut(strings.Join(fields, ""), " ")
	token = strings.TrimSpace(token)
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return "", refuse("", "This call needs a token: send Authorization: Bearer TOKEN.")
	case token == "":
		return "", refuse(invalidRequest, "The token is missing: send Authorization: Bearer TOKEN.")
	case len(token) > maxToken:
		return "", refuse(invalidToken, "The token is longer than 8 KiB.")
	case strings.ContainsFunc(token, notCompact):
		return "", refuse(invalidToken, "The token is not a JWT in its compact form, header.payload.signature.")
	}
	return token, nil
}

// notCompact reports whether r can't be in the compact form of a JWT: base64url and dots.
func notCompact(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
		return false
	}
	return true
}

// The error codes of RFC 6750, section 3.1.
const (
	invalidRequest = "invalid_request"
	invalidToken   = "invalid_token"
)

// challenge is the error of a request without a valid token.
type challenge struct {
	problem *api.Problem
	code    string // of RFC 6750; empty if the request has no token
}

func refuse(code, detail string) *challenge {
	return &challenge{api.NewProblem(api.CodeUnauthenticated, detail), code}
}

func (c *challenge) Error() string { return c.problem.Error() }
func (c *challenge) Unwrap() error { return c.problem }

// header returns WWW-Authenticate (RFC 6750, section 3).
func (c *challenge) header() string {
	if c.code == "" {
		return `Bearer realm="booking"`
	}
	return `Bearer realm="booking", error="` + c.code + `", error_description="` + c.problem.Detail + `"`
}
