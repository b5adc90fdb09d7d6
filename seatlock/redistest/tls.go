package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TLS names the PEM files for mutual TLS.
type TLS struct {
	CA        string // the certificate of the authority
	Cert, Key string // a certificate that it signed, for clients and servers, and its key
}

// NewTLS generates the files for servers on 127.0.0.1.
func NewTLS(t testing.TB) TLS {
	t.Helper()
	dir := t.TempDir()
	file := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	pair := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "redis"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	ca, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.CreateCertificate(rand.Reader, pair, authority, key.Public(), key)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)

	return TLS{CA: file("ca.pem", "CERTIFICATE", ca), Cert: file("cert.pem", "CERTIFICATE", cert), Key: file("key.pem", "PRIVATE KEY", der)}
}

// Listen returns the arguments that make a redis-server accept TLS connections at addr, in
// addition to its plain port.
func (f TLS) Listen(t testing.TB) (addr string, args []string) {
	t.Helper()
	port := FreePort(t)
	return net.JoinHostPort("127.0.0.1", port),
		[]string{"--tls-port", port, "--tls-ca-cert-file", f.CA, "--tls-cert-file", f.Cert, "--tls-key-file", f.Key}
}
