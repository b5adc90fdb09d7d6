// Package authtest is an OpenID Connect issuer for tests: an HTTP server whose keys a test
// can rotate, and which a test can stop.
package authtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
)

// Audience is the aud of the issuer's tokens.
const Audience = "booking"

// SellerScope is the scope of SellerToken.
const SellerScope = "booking:sell"

// Issuer is an issuer. It stops when its test ends.
type Issuer struct {
	URL string

	mu        sync.Mutex
	addr      string
	server    *httptest.Server
	algorithm jose.SignatureAlgorithm
	key       any // private
	kid       string
	published jose.JSONWebKeySet
	requests  map[string]int
	overrides map[string]http.Handler
}

// Start starts an issuer that signs with ES256.
func Start(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{addr: "127.0.0.1:0", requests: map[string]int{}, overrides: map[string]http.Handler{}}
	i.Up(t)
	i.addr = i.server.Listener.Addr().String()
	i.URL = "http://" + i.addr
	i.Rotate(t, jose.ES256)
	t.Cleanup(i.Down)
	return i
}

// Up starts the issuer, at its last address if it has had one.
func (i *Issuer) Up(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", i.addr)
	require.NoError(t, err)
	i.server = httptest.NewUnstartedServer(i)
	_ = i.server.Listener.Close()
	i.server.Listener = listener
	i.server.Start()
}

// Down stops the issuer. Its address then refuses connections.
func (i *Issuer) Down() { i.server.Close() }

// Rotate makes a new key for the algorithm. It signs the tokens and replaces all published
// keys.
func (i *Issuer) Rotate(t testing.TB, algorithm jose.SignatureAlgorithm) {
	t.Helper()
	key := NewKey(t, algorithm)
	i.mu.Lock()
	defer i.mu.Unlock()
	n, _ := strconv.Atoi(i.kid)
	i.algorithm, i.key, i.kid = algorithm, key, strconv.Itoa(n+1)
	i.published.Keys = []jose.JSONWebKey{{Key: key.Public(), KeyID: i.kid, Algorithm: string(algorithm), Use: "sig"}}
}

// NewKey returns a private key for the algorithm.
func NewKey(t testing.TB, algorithm jose.SignatureAlgorithm) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch algorithm {
	case jose.ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.EdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	require.NoError(t, err)
	return key
}

// Requests returns how many requests path has had.
func (i *Issuer) Requests(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests[path]
}

// Override makes handler serve path. nil ends that.
func (i *Issuer) Override(path string, handler http.Handler) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.overrides[path] = handler
}

// Public returns the published key.
func (i *Issuer) Public() crypto.PublicKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.published.Keys[0].Key
}

// The paths of an issuer's documents.
const (
	Discovery = "/.well-known/openid-configuration"
	Keys      = "/keys"
)

// ServeHTTP serves the documents.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.requests[r.URL.Path]++
	override, published := i.overrides[r.URL.Path], i.published
	i.mu.Unlock()
	if override != nil {
		override.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case Discovery:
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL, "jwks_uri": i.URL + Keys})
	case Keys:
		_ = json.NewEncoder(w).Encode(published)
	default:
		http.NotFound(w, r)
	}
}

// Claims returns the claims of a valid token for user, which expires an hour after now.
// others replaces claims; nil removes one.
func (i *Issuer) Claims(user string, now time.Time, others map[string]any) map[string]any {
	claims := map[string]any{
		"iss": i.URL, "aud": Audience, "sub": user, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(claims, others)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

// Token returns a token for user that is valid by the machine's clock.
func (i *Issuer) Token(t testing.TB, user string) string {
	t.Helper()
	return i.Sign(t, i.Claims(user, time.Now(), nil))
}

// SellerToken returns the token of a seller. Its subject is no user.
func (i *Issuer) SellerToken(t testing.TB) string {
	t.Helper()
	return i.Sign(t, i.Claims("the shop", time.Now(), map[string]any{"scope": "openid " + SellerScope}))
}

// Sign returns a token with claims, signed with the published key.
func (i *Issuer) Sign(t testing.TB, claims map[string]any) string {
	t.Helper()
	return i.SignType(t, nil, claims)
}

// SignType is Sign with a typ header; nil omits it.
func (i *Issuer) SignType(t testing.TB, typ any, claims map[string]any) string {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	return sign(t, i.algorithm, i.key, i.kid, typ, claims)
}

// Sign returns a token with claims, signed with key.
func Sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, kid string, claims map[string]any) string {
	t.Helper()
	return sign(t, algorithm, key, kid, nil, claims)
}

func sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, kid string, typ any, claims map[string]any) string {
	t.Helper()
	options := &jose.SignerOptions{}
	if typ != nil {
		options.WithHeader(jose.HeaderType, typ)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, options)
	require.NoError(t, err)
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	require.NoError(t, err)
	return token
}
