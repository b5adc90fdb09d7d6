//go:build e2e

package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
)

// issuer is an OpenID Connect issuer.
type issuer struct {
	url         string // for the pods
	certificate string // PEM
	signer      jose.Signer
}

// openIssuer starts an issuer on this machine, as the Service issuer.
func (c *cluster) openIssuer() *issuer {
	c.t.Helper()
	name := "issuer." + c.namespace + ".svc"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(c.t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(c.t, err)
	i := &issuer{url: "https://" + name, certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))}
	i.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
	require.NoError(c.t, err)

	answer := func(value any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(value) } // the client may be gone
	}
	mux := http.NewServeMux()
	mux.Handle("/.well-known/openid-configuration", answer(map[string]any{"issuer": i.url, "jwks_uri": i.url + "/keys"}))
	mux.Handle("/keys", answer(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}}))
	l := c.listen()
	server := &http.Server{Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}}
	go func() { _ = server.ServeTLS(l, "", "") }()
	c.t.Cleanup(func() { _ = server.Close() })
	c.expose("issuer", 443, l)
	return i
}

// token returns a token of a user, with a scope.
func (i *issuer) token(t *testing.T, user, scope string) string {
	t.Helper()
	now := time.Now()
	claims := jwt.Claims{Issuer: i.url, Subject: user, Audience: jwt.Audience{"booking"}, IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Hour))}
	text, err := jwt.Signed(i.signer).Claims(claims).Claims(map[string]any{"scope": scope}).Serialize()
	require.NoError(t, err)
	return text
}
