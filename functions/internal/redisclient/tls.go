package redisclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// ErrNoTLS means that TLS names files, but the URL is not rediss://.
var ErrNoTLS = errors.New("redisclient: files for TLS, but no rediss://")

// A CAError says why TLS.CA can't be used.
type CAError struct{ Err error }

func (e *CAError) Error() string { return "redisclient: CA: " + e.Err.Error() }
func (e *CAError) Unwrap() error { return e.Err }

// TLS names the PEM files of connections by rediss://. Each is optional.
type TLS struct {
	CA        string // signs the server's certificate; if empty, the system's CAs do
	Cert, Key string // of the client, if the server requires one; read for each connection, so they may be renewed
}

// apply adds the files to config. config is nil if the URL is not rediss://.
func (f TLS) apply(config *tls.Config) error {
	if config == nil && f != (TLS{}) {
		return ErrNoTLS
	}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return &CAError{err}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return &CAError{fmt.Errorf("%s holds no certificate in PEM", f.CA)}
		}
	}
	if f.Cert != "" || f.Key != "" {
		if _, err := tls.LoadX509KeyPair(f.Cert, f.Key); err != nil {
			return err
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
			return &pair, err
		}
	}
	return nil
}
