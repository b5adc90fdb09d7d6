package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
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

// says is a handler that answers with a text.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

// write writes what is both a discovery document, and a set of keys without any.
func write(w http.ResponseWriter, r *http.Request) {
	_ = json.NewEncoder(w).Encode(map[string]any{"issuer": "http://" + r.Host, "jwks_uri": "http://" + r.Host + authtest.Keys, "keys": []any{}})
}

// faults are an issuer's answers that say nothing about its keys.
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

func TestKeys_AreFetchedOnceInFourToFiveMinutes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for fetches := range 100 {
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		require.Equal(t, fetches+1, b.issuer.Asked(authtest.Keys))
		b.clock.Advance(4*time.Minute - time.Nanosecond)
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		require.Equal(t, fetches+1, b.issuer.Asked(authtest.Keys))
		b.clock.Advance(time.Minute + time.Nanosecond)
	}
}

func TestKeys_RefuseAWithdrawnKeyWithinFiveMinutes(t *testing.T) {
	t.Parallel()
	t.Run("Idle", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		withdrawn := b.sign(t, "ann", nil)
		accepted(t, b.send("Bearer "+withdrawn))
		b.issuer.Rotate(t, jose.ES256)
		b.clock.Advance(5 * time.Minute)
		refused(t, b.send("Bearer "+withdrawn), "invalid_token", "not valid here")
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
	})
	t.Run("Busy", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		withdrawn := b.sign(t, "ann", nil)
		accepted(t, b.send("Bearer "+withdrawn))
		b.issuer.Rotate(t, jose.ES256)
		for range 239 {
			b.clock.Advance(time.Second)
			accepted(t, b.send("Bearer "+withdrawn))
		}
		for range 60 {
			b.clock.Advance(time.Second)
			b.send("Bearer " + withdrawn)
		}
		b.clock.Advance(time.Second)
		refused(t, b.send("Bearer "+withdrawn), "invalid_token", "not valid here")
	})
	t.Run("AfterAnOutage", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		withdrawn := b.sign(t, "ann", nil)
		accepted(t, b.send("Bearer "+withdrawn))
		b.issuer.Down()
		b.clock.Advance(5 * time.Minute)
		accepted(t, b.send("Bearer "+withdrawn))
		b.issuer.Rotate(t, jose.ES256)
		b.issuer.Up(t)
		b.clock.Advance(5 * time.Minute)
		refused(t, b.send("Bearer "+withdrawn), "invalid_token", "not valid here")
	})
	t.Run("TheLast", func(t *testing.T) {
		t.Parallel()
		for name, empty := range map[string]string{
			"NoKey": `{"keys":[]}`, "KeysOfOtherKinds": `{"keys":[{"kty":"OKP","crv":"Ed448","kid":"2","x":"AA"},{"kty":"PQ","kid":"3"}]}`,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				withdrawn := b.sign(t, "ann", nil)
				accepted(t, b.send("Bearer "+withdrawn))
				b.issuer.Answer(authtest.Keys, says(empty))
				b.clock.Advance(5 * time.Minute)
				refused(t, b.send("Bearer "+withdrawn), "invalid_token", "not valid here")
				require.Contains(t, logged.about(b.issuer), "the issuer publishes no signing key, so every token is refused; publish the keys it signs with")
				b.issuer.Answer(authtest.Keys, nil)
				b.clock.Advance(5 * time.Second)
				accepted(t, b.send("Bearer "+withdrawn))
			})
		}
	})
}

func TestKeys_NewOnesAreFetchedAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.sign(t, "ann", nil)
	accepted(t, b.send("Bearer "+old))
	b.issuer.Rotate(t, jose.RS256)
	b.clock.Advance(5 * time.Second)
	accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
	refused(t, b.send("Bearer "+old), "invalid_token", "not valid here")
}

func TestKeys_MoveWithTheDiscoveryDocument(t *testing.T) {
	t.Parallel()
	b := setup(t)
	withdrawn := b.sign(t, "ann", nil)
	accepted(t, b.send("Bearer "+withdrawn))
	b.issuer.Answer(authtest.Discovery, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": b.issuer.URL, "jwks_uri": b.issuer.URL + "/moved"})
	}))
	b.issuer.Answer("/moved", says(`{"keys":[]}`))
	b.clock.Advance(5 * time.Minute)
	refused(t, b.send("Bearer "+withdrawn), "invalid_token", "not valid here")
}

// publish makes the issuer publish one key, and nothing else.
func (b *testBundle) publish(t *testing.T, key jose.JSONWebKey) {
	t.Helper()
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
	require.NoError(t, err)
	b.issuer.Answer(authtest.Keys, says(string(set)))
	b.clock.Advance(5 * time.Second)
}

func TestKeys_ForEncryptionSignNoToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := authtest.NewKey(t, jose.ES256)
	token := authtest.Sign(t, jose.ES256, key, "2", b.issuer.Claims("ann", b.clock.Now(), nil))
	b.publish(t, jose.JSONWebKey{Key: key.Public(), KeyID: "2", Use: "enc"})
	refused(t, b.send("Bearer "+token), "invalid_token", "not valid here")
	b.publish(t, jose.JSONWebKey{Key: key.Public(), KeyID: "2"})
	accepted(t, b.send("Bearer "+token))
}

func TestKeys_AreTriedIfTheTokenNamesNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := authtest.NewKey(t, jose.ES256)
	token := authtest.Sign(t, jose.ES256, key, "", b.issuer.Claims("ann", b.clock.Now(), nil))
	refused(t, b.send("Bearer "+token), "invalid_token", "not valid here")
	b.publish(t, jose.JSONWebKey{Key: key.Public(), KeyID: "2"})
	accepted(t, b.send("Bearer "+token))
}

// hang makes the issuer hang when it is asked for its keys. asked is closed by the
// first who asks; release ends it.
func (b *testBundle) hang(t *testing.T) (asked <-chan struct{}, release func()) {
	t.Helper()
	reached, released := make(chan struct{}), make(chan struct{})
	reach, end := sync.OnceFunc(func() { close(reached) }), sync.OnceFunc(func() { close(released) })
	t.Cleanup(end)
	b.issuer.Answer(authtest.Keys, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reach()
		<-released
		b.issuer.Answer(authtest.Keys, nil)
		b.issuer.ServeHTTP(w, r)
	}))
	return reached, end
}

func TestKeys_AreRefreshedInTheBackground(t *testing.T) {
	t.Parallel()
	b := setup(t)
	withdrawn := b.sign(t, "ann", nil)
	accepted(t, b.send("Bearer "+withdrawn))
	asked, release := b.hang(t)
	b.issuer.Rotate(t, jose.ES256)
	b.clock.Advance(5*time.Minute - time.Nanosecond)
	accepted(t, b.send("Bearer "+withdrawn))
	<-asked
	accepted(t, b.send("Bearer "+withdrawn))
	require.Equal(t, 2, b.issuer.Asked(authtest.Keys))

	// A key that may be withdrawn for 5 minutes waits for the answer.
	b.clock.Advance(time.Nanosecond)
	var sender sync.WaitGroup
	sender.Go(func() {
		if code := b.send("Bearer " + withdrawn).Code; code != http.StatusUnauthorized {
			t.Errorf("status %d", code)
		}
	})
	release()
	sender.Wait()
}

// A key may be withdrawn right after the issuer said that it is good.
func TestKeys_AgeFromTheStartOfTheirFetch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	withdrawn := b.sign(t, "ann", nil)
	accepted(t, b.send("Bearer "+withdrawn))
	asked, release := b.hang(t)
	b.clock.Advance(5 * time.Minute)
	var sender sync.WaitGroup
	sender.Go(func() {
		if code := b.send("Bearer " + withdrawn).Code; code != http.StatusOK {
			t.Errorf("status %d", code)
		}
	})
	<-asked
	b.clock.Advance(2 * time.Minute)
	release()
	sender.Wait()
	b.issuer.Rotate(t, jose.ES256)
	b.clock.Advance(3 * time.Minute)
	refused(t, b.send("Bearer "+withdrawn), "invalid_token", "not valid here")
}

// Tokens with unknown keys don't make the service flood the issuer.
func TestKeys_UnknownOnesAreFetchedOnceInFiveSeconds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := b.sign(t, "ann", nil)
	forged := authtest.Sign(t, jose.ES256, authtest.NewKey(t, jose.ES256), "forged", b.issuer.Claims("bob", b.clock.Now(), nil))
	accepted(t, b.send("Bearer "+good))
	for round := range 3 {
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
		require.Equal(t, 1+round, b.issuer.Asked(authtest.Keys))
		require.Equal(t, 1+round, b.issuer.Asked(authtest.Discovery))
		b.clock.Advance(5*time.Second - time.Nanosecond)
		refused(t, b.send("Bearer "+forged), "invalid_token", "not valid here")
		require.Equal(t, 1+round, b.issuer.Asked(authtest.Keys))
		b.clock.Advance(time.Nanosecond)
	}
	accepted(t, b.send("Bearer "+good))
}

func TestKeys_TheIssuerIsDownAtTheStart(t *testing.T) {
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
}

func TestKeys_AreUsedForAnHourWhileTheIssuerIsDown(t *testing.T) {
	t.Parallel()
	// outage lets an hour go by in which the issuer is down.
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
	t.Run("NotReached", func(t *testing.T) {
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
				b.issuer.Answer(path, answer)
				outage(t, b, func() { b.issuer.Answer(path, nil) })
			})
		}
	}
	t.Run("IdleForTheHour", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		b.issuer.Down()
		b.clock.Advance(time.Hour)
		unavailable(t, b.send("Bearer "+b.sign(t, "ann", nil)))
	})
	t.Run("ItHangs", func(t *testing.T) {
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
	t.Run("ItHangsLater", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		b.issuer.Answer(authtest.Keys, faults["Error"])
		b.clock.Advance(5 * time.Minute)
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		asked, _ := b.hang(t)
		b.clock.Advance(time.Second)
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		<-asked
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
	})
	t.Run("ANewKey", func(t *testing.T) {
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

func TestKeys_WarnOnceASecondWhileTheIssuerIsDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
	b.issuer.Answer(authtest.Keys, faults["Error"])
	before := len(logged.about(b.issuer)) // of an earlier test, whose issuer had the same port
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

func TestKeys_TheIssuerFailsAtTheStart(t *testing.T) {
	t.Parallel()
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
				accepted(t, b.send("Bearer "+good)) // or the first verifier would fail too
				b.issuer.Answer(path, answer)
				b.restart()
				unavailable(t, b.send("Bearer "+good))
				b.issuer.Answer(path, nil)
				b.clock.Advance(time.Second)
				accepted(t, b.send("Bearer "+good))
			})
		}
	}
}
