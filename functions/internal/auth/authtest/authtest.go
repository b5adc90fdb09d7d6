// Package authtest is an OpenID Connect issuer for tests: a server of its own, with
// keys that change, and that can be down.
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

// Audience is what the issuer's tokens are for.
const Audience = "booking"

// Issuer is a running issuer, which ends with its test.
type Issuer struct {
	URL string

	mu        sync.Mutex
	addr      string
	server    *httptest.Server
	algorithm jose.SignatureAlgorithm
	key       any // private
	kid       string
	published jose.JSONWebKeySet
	asked     map[string]int
	instead   map[string]http.Handler
}

// Start starts an issuer that signs with ES256.
func Start(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{addr: "127.0.0.1:0", asked: map[string]int{}, instead: map[string]http.Handler{}}
	i.Up(t)
	i.addr = i.server.Listener.Addr().String()
	i.URL = "http://" + i.addr
	i.Rotate(t, jose.ES256)
	t.Cleanup(i.Down)
	return i
}

// Up starts it, again at its address where it was up before.
func (i *Issuer) Up(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", i.addr)
	require.NoError(t, err)
	i.server = httptest.NewUnstartedServer(i)
	_ = i.server.Listener.Close()
	i.server.Listener = listener
	i.server.Start()
}

// Down ends it: nobody listens at its address.
func (i *Issuer) Down() { i.server.Close() }

// Rotate makes a key, which is the only one that is published from now on and signs
// the tokens.
func (i *Issuer) Rotate(t testing.TB, algorithm jose.SignatureAlgorithm) {
	t.Helper()
	key := NewKey(t, algorithm)
	i.mu.Lock()
	defer i.mu.Unlock()
	n, _ := strconv.Atoi(i.kid)
	i.algorithm, i.key, i.kid = algorithm, key, strconv.Itoa(n+1)
	i.published.Keys = []jose.JSONWebKey{{Key: key.Public(), KeyID: i.kid, Algorithm: string(algorithm), Use: "sig"}}
}

// NewKey returns a private key for an algorithm.
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

// Asked returns how often path was asked for.
func (i *Issuer) Asked(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked[path]
}

// Answer makes handler answer at path, or the issuer itself again where it is nil.
func (i *Issuer) Answer(path string, handler http.Handler) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.instead[path] = handler
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
	i.asked[r.URL.Path]++
	instead, published := i.instead[r.URL.Path], i.published
	i.mu.Unlock()
	if instead != nil {
		instead.ServeHTTP(w, r)
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

// Claims are a good token's for user, until an hour from now, with others in their
// place; what is nil there is left out.
func (i *Issuer) Claims(user string, now time.Time, others map[string]any) map[string]any {
	claims := map[string]any{
		"iss": i.URL, "aud": Audience, "sub": user, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(claims, others)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

// Token returns a good token for user, by the machine's clock.
func (i *Issuer) Token(t testing.TB, user string) string {
	t.Helper()
	return i.Sign(t, i.Claims(user, time.Now(), nil))
}

// Sign returns a token of claims, signed with the published key.
func (i *Issuer) Sign(t testing.TB, claims map[string]any) string {
	t.Helper()
	return i.SignType(t, nil, claims)
}

// SignType is Sign with the token's typ header; nil leaves it out.
func (i *Issuer) SignType(t testing.TB, typ any, claims map[string]any) string {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	return sign(t, i.algorithm, i.key, i.kid, typ, claims)
}

// Sign returns a token of claims, signed with any key.
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
