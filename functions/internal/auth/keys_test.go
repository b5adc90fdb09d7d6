package auth_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"booking/functions/internal/auth/authtest"
)

// unavailable asserts an answer that does not say a word against the token.
func unavailable(t *testing.T, rec *httptest.ResponseRecorder) {
	t.Helper()
	require.Equal(t, http.StatusServiceUnavailable, rec.Code, rec.Body)
	require.Contains(t, rec.Body.String(), `"code":"unavailable"`)
	require.NotEmpty(t, rec.Header().Get("Retry-After"))
	require.Empty(t, rec.Header().Get("WWW-Authenticate"))
	require.NotContains(t, rec.Body.String(), "127.0.0.1")
}

func TestKeysAreKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 100 {
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		b.clock.Advance(time.Minute)
	}
	require.Equal(t, 1, b.issuer.Asked(authtest.Discovery))
	require.Equal(t, 1, b.issuer.Asked(authtest.Keys))
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.sign(t, "ann", nil)
	accepted(t, b.send("Bearer "+old))
	b.issuer.Rotate(t, jose.RS256)
	b.clock.Advance(5 * time.Second)
	accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
	refused(t, b.send("Bearer "+old), "invalid_token", "not valid here")
}

// Whoever sends tokens that nobody signed does not make the service flood the issuer.
func TestUnknownKeysAreAskedForSeldom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := b.sign(t, "ann", nil)
	forged := authtest.Sign(t, jose.ES256, authtest.NewKey(t, jose.ES256), "forged", b.issuer.Claims("bob", b.clock.Now(), nil))
	accepted(t, b.send("Bearer "+good))
	for second := range 3 {
		var senders sync.WaitGroup
		for range 20 {
			senders.Go(func() {
				for range 20 {
					if code := b.send("Bearer " + forged).Code; code != http.StatusUnauthorized {
						t.Errorf("status %d", code)
					}
				}
			})
		}
		senders.Wait()
		require.Equal(t, 1+second, b.issuer.Asked(authtest.Keys))
		b.clock.Advance(5 * time.Second)
	}
	accepted(t, b.send("Bearer "+good))
}

func TestTheIssuerIsDown(t *testing.T) {
	t.Parallel()
	t.Run("AtTheStart", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.issuer.Down()
		b.restart()
		good := b.sign(t, "ann", nil)
		unavailable(t, b.send("Bearer "+good))
		refused(t, b.send(), "", "needs a token")
		b.issuer.Up(t)
		unavailable(t, b.send("Bearer "+good)) // it was asked a moment ago
		b.clock.Advance(time.Second)
		accepted(t, b.send("Bearer "+good))
	})
	t.Run("Later", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		b.issuer.Down()
		b.clock.Advance(time.Minute)
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		b.issuer.Rotate(t, jose.EdDSA)
		rotated := b.sign(t, "ann", nil)
		unavailable(t, b.send("Bearer "+rotated))
		b.issuer.Up(t)
		b.clock.Advance(time.Second)
		accepted(t, b.send("Bearer "+rotated))
	})
	t.Run("ItHangs", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		good := b.sign(t, "ann", nil)
		accepted(t, b.send("Bearer "+good)) // or the first verifier would hang too
		for _, path := range []string{authtest.Discovery, authtest.Keys} {
			b.timeout = 20 * time.Millisecond
			b.issuer.Answer(path, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
			b.restart()
			unavailable(t, b.send("Bearer "+good))
			b.issuer.Answer(path, nil)
			b.timeout = time.Minute
			b.restart()
			accepted(t, b.send("Bearer "+good))
		}
	})
	t.Run("WhatItSaysMakesNoSense", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		good := b.sign(t, "ann", nil)
		for _, path := range []string{authtest.Discovery, authtest.Keys} {
			for _, answer := range []http.HandlerFunc{
				func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
				func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
				func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
				func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2<<20)) },
			} {
				b.issuer.Answer(path, answer)
				b.restart()
				unavailable(t, b.send("Bearer "+good))
				b.issuer.Answer(path, nil)
				b.clock.Advance(5 * time.Second)
				accepted(t, b.send("Bearer "+good))
			}
		}
	})
}
