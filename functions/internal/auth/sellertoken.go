package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The limits of a seller's token, in characters.
const (
	minSellerToken = 32
	maxSellerToken = 1024
)

// fileInterval is how long a token that was read from a file is used before the file is
// read again.
const fileInterval = time.Second

// SellerToken is the secret that makes its sender a seller.
type SellerToken struct {
	digest atomic.Pointer[[sha256.Size]byte]

	path string // of the file that has the token; empty if it does not change
	now  func() time.Time

	mu     sync.Mutex
	readAt time.Time // when the file was read last
	fault  string    // of that read, as logged; empty if it succeeded
}

// NewSellerToken returns the token that is secret. The error doesn't show it.
func NewSellerToken(secret string) (*SellerToken, error) {
	s := &SellerToken{}
	return s, s.set(secret)
}

// ReadSellerToken returns the token in the file at path, without the white space around it.
// The token follows the file: it is read again at the next use, but at most once a second. If
// the file is then missing or has no valid token, the last valid one remains, and the log
// says so.
func ReadSellerToken(path string) (*SellerToken, error) {
	return readSellerToken(path, time.Now)
}

func readSellerToken(path string, now func() time.Time) (*SellerToken, error) {
	s := &SellerToken{path: path, now: now, readAt: now()}
	return s, s.read()
}

// set checks the secret and makes it the token.
func (s *SellerToken) set(secret string) error {
	switch {
	case len(secret) < minSellerToken || len(secret) > maxSellerToken:
		return fmt.Errorf("auth: the seller's token has %d characters; use %d to %d", len(secret), minSellerToken, maxSellerToken)
	case strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("auth: the seller's token has a space, or a character that is not printable ASCII; use others")
	}
	digest := sha256.Sum256([]byte(secret))
	s.digest.Store(&digest)
	return nil
}

func (s *SellerToken) read() error {
	content, err := os.ReadFile(s.path)
	if err != nil {
		return err
	}
	return s.set(strings.TrimSpace(string(content)))
}

// is reports whether token is the secret. The time that it takes says nothing about the
// secret. A nil SellerToken is no token.
func (s *SellerToken) is(token string) bool {
	if s == nil {
		return false
	}
	if s.path != "" {
		s.refresh()
	}
	digest := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(digest[:], s.digest.Load()[:]) == 1
}

// refresh reads the file if that is due. While one call does, the others use the last token.
func (s *SellerToken) refresh() {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if s.now().Sub(s.readAt) < fileInterval {
		return
	}
	before := *s.digest.Load()
	err := s.read()
	s.readAt = s.now()
	fault := ""
	if err != nil {
		fault = err.Error()
	}
	switch {
	case fault != "" && fault != s.fault:
		slog.Warn("SELLER_TOKEN_FILE can't be used, so the last token remains valid; write a token to the file", "error", err)
	case fault == "" && *s.digest.Load() != before:
		slog.Info("the seller's token has changed")
	}
	s.fault = fault
}
