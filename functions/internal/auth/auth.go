// Package auth tells buyers and sellers by their tokens: OpenID Connect tokens of one issuer
// (https://openid.net/specs/openid-connect-core-1_0.html), and a secret that makes its sender
// a seller. Both are sent as bearer tokens (https://www.rfc-editor.org/rfc/rfc6750).
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

// Options say which tokens are valid. At least one of Issuer and SellerToken is set.
type Options struct {
	Issuer      string           // the iss of a token, and the URL of the issuer; empty if there is none
	Audience    string           // aud must contain it
	SellerScope string           // in scope or scp, it makes the token a seller's; empty: no token of the issuer is
	SellerToken *SellerToken     // nil if there is none
	Timeout     time.Duration    // of a request with an Issuer, including the wait for the issuer
	Now         func() time.Time // nil means time.Now
}

// Callers tells who makes a call. It verifies tokens with the cached keys of the issuer.
type Callers struct {
	opt    Options
	config *oidc.Config
	keys   *keyCache // nil without an issuer
}

// New returns Callers and starts to fetch the issuer's keys.
func New(opt Options) *Callers {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Issuer == "" {
		return &Callers{opt: opt}
	}
	config := &oidc.Config{ClientID: opt.Audience, Now: opt.Now}
	for _, algorithm := range algorithms {
		config.SupportedSigningAlgs = append(config.SupportedSigningAlgs, string(algorithm))
	}
	return &Callers{opt: opt, config: config, keys: newKeyCache(opt)}
}

// BuyersNeedToken reports whether Buyers refuses a request without a token.
func (c *Callers) BuyersNeedToken() bool { return c.keys != nil }

// Buyers passes a request of a buyer or a seller to next, with its api.Caller. It answers
// others 401 or 403, and 503 if it needs the issuer's keys and can't fetch them. Without an
// issuer, who does not send the seller's token is a buyer that may name any user: the back end
// or the gateway in front of the service knows the users.
func (c *Callers) Buyers(next http.Handler) http.Handler {
	if !c.BuyersNeedToken() {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, err := bearer(r.Header["Authorization"])
			seller := err == nil && c.opt.SellerToken.is(token)
			next.ServeHTTP(w, r.WithContext(api.WithCaller(r.Context(), api.Caller{Seller: seller})))
		})
	}
	return c.identify(next, func(api.Caller) error { return nil })
}

// Sellers passes a request of a seller to next, like Buyers. It answers a buyer 403.
func (c *Callers) Sellers(next http.Handler) http.Handler {
	return c.identify(next, func(caller api.Caller) error {
		if caller.Seller {
			return nil
		}
		return c.notSeller()
	})
}

// identify passes a request with a valid token to next, with its caller, unless check
// returns an error.
func (c *Callers) identify(next http.Handler, check func(api.Caller) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if c.keys != nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, c.opt.Timeout)
			defer cancel()
		}
		caller, err := c.caller(ctx, r.Header["Authorization"])
		if err == nil {
			err = check(caller)
		}
		if err != nil {
			var refused *challenge
			if errors.As(err, &refused) {
				w.Header().Set("WWW-Authenticate", refused.header())
			}
			api.WriteError(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(api.WithCaller(ctx, caller)))
	})
}

// caller returns the sender of the token in the fields of Authorization. The error is a
// *challenge or an *api.Problem.
func (c *Callers) caller(ctx context.Context, fields []string) (api.Caller, error) {
	token, err := bearer(fields)
	switch {
	case err != nil:
		return api.Caller{}, err
	case c.opt.SellerToken.is(token):
		return api.Caller{Seller: true}, nil
	case c.keys == nil:
		return api.Caller{}, refuse(invalidToken, "The token is not valid here: send the seller's token.")
	case strings.ContainsFunc(token, notCompact):
		return api.Caller{}, refuse(invalidToken, "The token is not a JWT in its compact form, header.payload.signature.")
	}
	return c.verify(ctx, token)
}

// verify returns the sender of a token of the issuer.
func (c *Callers) verify(ctx context.Context, token string) (api.Caller, error) {
	keys := &tokenKeys{cache: c.keys}
	verified, err := oidc.NewVerifier(c.opt.Issuer, keys, c.config).Verify(ctx, token)
	var claims claims
	if err == nil {
		claims, err = claimsOf(verified)
	}
	var expired *oidc.TokenExpiredError
	switch {
	case errors.Is(keys.err, errNoKeys):
		return api.Caller{}, api.NewProblem(api.CodeUnavailable, "Your token can't be verified right now, and this request has changed nothing. Send it again.")
	case errors.Is(keys.err, errTokenType), errors.Is(err, errTokenType):
		return api.Caller{}, refuse(invalidToken, "The token has another purpose: its typ must be absent, JWT or at+jwt, and it must not have events. Send the access token or the ID token that your issuer signed for this service.")
	case errors.As(err, &expired):
		return api.Caller{}, refuse(invalidToken, "The token has expired; get a new one.")
	case err != nil:
		slog.DebugContext(ctx, "token refused", "error", err)
		return api.Caller{}, refuse(invalidToken, "The token is not valid here: send one that your issuer signed for this service, and that is valid now.")
	case claims.haveScope(c.opt.SellerScope):
		return api.Caller{Seller: true}, nil
	case !seatlock.ValidUser(verified.Subject):
		return api.Caller{}, api.NewProblem(api.CodeForbidden, "The subject of your token can't be a user_id: that "+api.UserForm+".")
	}
	return api.Caller{User: verified.Subject}, nil
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
	invalidRequest    = "invalid_request"
	invalidToken      = "invalid_token"
	insufficientScope = "insufficient_scope"
)

// challenge is the error of a request without a valid token, or without the scope that it
// needs.
type challenge struct {
	problem *api.Problem
	code    string // of RFC 6750; empty if the request has no token
	scope   string // that the token needs; only if the code is insufficientScope
}

func refuse(code, detail string) *challenge {
	return &challenge{problem: api.NewProblem(api.CodeUnauthenticated, detail), code: code}
}

// notSeller returns the error of a seller's call by a buyer.
func (c *Callers) notSeller() *challenge {
	detail := "Only a seller may make this call, and your token is a buyer's. The shop's back end makes it."
	return &challenge{problem: api.NewProblem(api.CodeForbidden, detail), code: insufficientScope, scope: c.opt.SellerScope}
}

func (c *challenge) Error() string { return c.problem.Error() }
func (c *challenge) Unwrap() error { return c.problem }

// header returns WWW-Authenticate (RFC 6750, section 3).
func (c *challenge) header() string {
	if c.code == "" {
		return `Bearer realm="booking"`
	}
	header := `Bearer realm="booking", error="` + c.code + `", error_description="` + c.problem.Detail + `"`
	if c.scope != "" {
		header += `, scope="` + c.scope + `"`
	}
	return header
}
