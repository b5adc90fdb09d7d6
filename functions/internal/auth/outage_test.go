package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"booking/functions/internal/auth/authtest"
)

// unavailable asserts status 503 without a word about the token.
func unavailable(t *testing.T, rec *httptest.ResponseRecorder) {
	t.Helper()
	require.Equal(t, http.StatusServiceUnavailable, rec.Code, rec.Body)
	require.Contains(t, rec.Body.String(), `"code":"unavailable"`)
	require.NotEmpty(t, rec.Header().Get("Retry-After"))
	require.Empty(t, rec.Header().Get("WWW-Authenticate"))
	require.NotContains(t, rec.Body.String(), "127.0.0.1")
}

// write writes a document that is a valid discovery document and an empty set of keys.
func write(w http.ResponseWriter, r *http.Request) {
	_ = json.NewEncoder(w).Encode(map[string]any{"issuer": "http://" + r.Host, "jwks_uri": "http://" + r.Host + authtest.Keys, "keys": []any{}})
}

// faults are responses of an issuer that are no valid document.
var faults = map[string]http.HandlerFunc{
	"HTML":     says("<html>"),
	"Empty":    says(""),
	"NoObject": says("[]"),
	"Null":     says("null"),
	"NoKeys":   says("{}"),
	"NullKeys": says(`{"keys":null}`),
	"NoList":   says(`{"keys":{}}`),
	"Error":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
	"ErrorWithKeys": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte(`{"keys":[]}`))
	},
	"OtherIssuer": func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": "https://issuer.example.com", "jwks_uri": "http://" + r.Host + authtest.Keys})
	},
	"NoKeysURI": func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": "http://" + r.Host})
	},
	"TooLong": func(w http.ResponseWriter, r *http.Request) {
		write(w, r)
		_, _ = w.Write(bytes.Repeat([]byte(" "), 1<<20))
	},
	"Redirect": func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" {
			write(w, r)
			return
		}
		http.Redirect(w, r, r.URL.Path+"?redirected", http.StatusFound)
	},
	"HangUp": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
}

func TestKeyCache_RecoversIfTheIssuerWasDownAtTheStart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.issuer.Down()
	b.restart()
	good := b.sign(t, "ann", nil)
	unavailable(t, b.send("Bearer "+good))
	refused(t, b.send(), "", "needs a token")
	b.issuer.Up(t)
	unavailable(t, b.send("Bearer "+good)) // the last fetch was less than a second ago
	b.clock.Advance(time.Second)
	accepted(t, b.send("Bearer "+good))
}

func TestKeyCache_IsUsedForAnHourWhileTheIssuerIsDown(t *testing.T) {
	t.Parallel()
	// outage advances the clock by an hour while the issuer is down, and then calls up.
	outage := func(t *testing.T, b *testBundle, up func()) {
		t.Helper()
		for range 59 {
			b.clock.Advance(time.Minute)
			accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		}
		b.clock.Advance(time.Minute - time.Second)
		good := b.sign(t, "ann", nil)
		accepted(t, b.send("Bearer "+good))
		b.clock.Advance(time.Second)
		unavailable(t, b.send("Bearer "+good))
		up()
		b.clock.Advance(time.Second)
		accepted(t, b.send("Bearer "+good))
	}
	t.Run("Down", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		b.issuer.Down()
		outage(t, b, func() { b.issuer.Up(t) })
	})
	for _, path := range []string{authtest.Discovery, authtest.Keys} {
		for name, answer := range faults {
			t.Run(name+path, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
				b.issuer.Override(path, answer)
				outage(t, b, func() { b.issuer.Override(path, nil) })
			})
		}
	}
	t.Run("DownAndIdle", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		b.issuer.Down()
		b.clock.Advance(time.Hour)
		unavailable(t, b.send("Bearer "+b.sign(t, "ann", nil)))
	})
	t.Run("Hangs", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		asked, _ := b.hang(t)
		b.clock.Advance(5 * time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-asked
			cancel()
		}()
		accepted(t, b.sendWithin(ctx, "Bearer "+b.sign(t, "ann", nil)))
	})
	t.Run("HangsLater", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		b.issuer.Override(authtest.Keys, faults["Error"])
		b.clock.Advance(5 * time.Minute)
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		asked, _ := b.hang(t)
		b.clock.Advance(time.Second)
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		<-asked
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
	})
	t.Run("NewKey", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		known := b.sign(t, "ann", nil)
		accepted(t, b.send("Bearer "+known))
		b.issuer.Down()
		b.clock.Advance(time.Minute)
		b.issuer.Rotate(t, jose.EdDSA)
		rotated := b.sign(t, "ann", nil)
		unavailable(t, b.send("Bearer "+rotated))
		accepted(t, b.send("Bearer "+known))
		b.issuer.Up(t)
		b.clock.Advance(time.Second)
		accepted(t, b.send("Bearer "+rotated))
	})
}

func TestKeyCache_WarnsOnceASecondWhileTheIssuerIsDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
	b.issuer.Override(authtest.Keys, faults["Error"])
	before := len(logged.about(b.issuer)) // an earlier test can have used the same port
	b.clock.Advance(time.Hour)
	token := "Bearer " + b.sign(t, "ann", nil)
	for second := range 3 {
		for range 20 {
			unavailable(t, b.send(token))
		}
		require.Len(t, logged.about(b.issuer)[before:], second+1)
		b.clock.Advance(time.Second)
	}
	require.Equal(t, "the issuer's keys can't be fetched; start the issuer, let it be reached, or correct AUTH_ISSUER", logged.about(b.issuer)[before])
}

func TestKeyCache_RecoversIfTheIssuerFailedAtTheStart(t *testing.T) {
	t.Parallel()
	t.Run("Hangs", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		good := b.sign(t, "ann", nil)
		accepted(t, b.send("Bearer "+good)) // wait until the first verifier has its keys
		for _, path := range []string{authtest.Discovery, authtest.Keys} {
			b.timeout = 20 * time.Millisecond
			b.issuer.Override(path, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
			b.restart()
			unavailable(t, b.send("Bearer "+good))
			b.issuer.Override(path, nil)
			b.timeout = time.Hour
			b.restart()
			accepted(t, b.send("Bearer "+good))
		}
	})
	for _, path := range []string{authtest.Discovery, authtest.Keys} {
		for name, answer := range faults {
			t.Run(name+path, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				good := b.sign(t, "ann", nil)
				accepted(t, b.send("Bearer "+good)) // wait until the first verifier has its keys
				b.issuer.Override(path, answer)
				b.restart()
				unavailable(t, b.send("Bearer "+good))
				b.issuer.Override(path, nil)
				b.clock.Advance(time.Second)
				accepted(t, b.send("Bearer "+good))
			})
		}
	}
}
