package auth_test

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"booking/functions/internal/auth/authtest"
)

// says returns a handler that answers with text.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

func TestKeyCache_FetchesOnceInFourToFiveMinutes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for fetches := range 100 {
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		require.Equal(t, fetches+1, b.issuer.Requests(authtest.Keys))
		b.clock.Advance(4*time.Minute - time.Nanosecond)
		accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		require.Equal(t, fetches+1, b.issuer.Requests(authtest.Keys))
		b.clock.Advance(time.Minute + time.Nanosecond)
	}
}

func TestKeyCache_RefusesAWithdrawnKeyAfterFiveMinutes(t *testing.T) {
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
	t.Run("LastKey", func(t *testing.T) {
		t.Parallel()
		for name, empty := range map[string]string{
			"NoKey": `{"keys":[]}`, "KeysOfOtherKinds": `{"keys":[{"kty":"OKP","crv":"Ed448","kid":"2","x":"AA"},{"kty":"PQ","kid":"3"}]}`,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				withdrawn := b.sign(t, "ann", nil)
				accepted(t, b.send("Bearer "+withdrawn))
				b.issuer.Override(authtest.Keys, says(empty))
				b.clock.Advance(5 * time.Minute)
				refused(t, b.send("Bearer "+withdrawn), "invalid_token", "not valid here")
				require.Contains(t, logged.about(b.issuer), "the issuer publishes no signing key, so every token is refused; publish the keys it signs with")
				b.issuer.Override(authtest.Keys, nil)
				b.clock.Advance(5 * time.Second)
				accepted(t, b.send("Bearer "+withdrawn))
			})
		}
	})
}

func TestKeyCache_FetchesAnUnknownKeyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.sign(t, "ann", nil)
	accepted(t, b.send("Bearer "+old))
	b.issuer.Rotate(t, jose.RS256)
	b.clock.Advance(5 * time.Second)
	accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
	refused(t, b.send("Bearer "+old), "invalid_token", "not valid here")
}

func TestKeyCache_UsesTheNewURIOfTheDiscoveryDocument(t *testing.T) {
	t.Parallel()
	b := setup(t)
	withdrawn := b.sign(t, "ann", nil)
	accepted(t, b.send("Bearer "+withdrawn))
	b.issuer.Override(authtest.Discovery, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": b.issuer.URL, "jwks_uri": b.issuer.URL + "/moved"})
	}))
	b.issuer.Override("/moved", says(`{"keys":[]}`))
	b.clock.Advance(5 * time.Minute)
	refused(t, b.send("Bearer "+withdrawn), "invalid_token", "not valid here")
}

// publish makes key the only published key.
func (b *testBundle) publish(t *testing.T, key jose.JSONWebKey) {
	t.Helper()
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
	require.NoError(t, err)
	b.issuer.Override(authtest.Keys, says(string(set)))
	b.clock.Advance(5 * time.Second)
}

func TestKeyCache_IgnoresEncryptionKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := authtest.NewKey(t, jose.ES256)
	token := authtest.Sign(t, jose.ES256, key, "2", b.issuer.Claims("ann", b.clock.Now(), nil))
	b.publish(t, jose.JSONWebKey{Key: key.Public(), KeyID: "2", Use: "enc"})
	refused(t, b.send("Bearer "+token), "invalid_token", "not valid here")
	b.publish(t, jose.JSONWebKey{Key: key.Public(), KeyID: "2"})
	accepted(t, b.send("Bearer "+token))
}

func TestKeyCache_TriesAllKeysForATokenWithoutKeyID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := authtest.NewKey(t, jose.ES256)
	token := authtest.Sign(t, jose.ES256, key, "", b.issuer.Claims("ann", b.clock.Now(), nil))
	refused(t, b.send("Bearer "+token), "invalid_token", "not valid here")
	b.publish(t, jose.JSONWebKey{Key: key.Public(), KeyID: "2"})
	accepted(t, b.send("Bearer "+token))
}

// hang makes requests for the keys hang until release. The first one closes asked.
func (b *testBundle) hang(t *testing.T) (asked <-chan struct{}, release func()) {
	t.Helper()
	reached, released := make(chan struct{}), make(chan struct{})
	reach, end := sync.OnceFunc(func() { close(reached) }), sync.OnceFunc(func() { close(released) })
	t.Cleanup(end)
	b.issuer.Override(authtest.Keys, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reach()
		<-released
		b.issuer.Override(authtest.Keys, nil)
		b.issuer.ServeHTTP(w, r)
	}))
	return reached, end
}

func TestKeyCache_RefreshesInTheBackground(t *testing.T) {
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
	require.Equal(t, 2, b.issuer.Requests(authtest.Keys))

	// The key may have been withdrawn 5 minutes ago, so the token waits for the fetch.
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

// The issuer can withdraw a key right after it has sent it.
func TestKeyCache_CountsTheAgeFromTheStartOfTheFetch(t *testing.T) {
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

func TestKeyCache_FetchesUnknownKeysOnceInFiveSeconds(t *testing.T) {
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
		require.Equal(t, 1+round, b.issuer.Requests(authtest.Keys))
		require.Equal(t, 1+round, b.issuer.Requests(authtest.Discovery))
		b.clock.Advance(5*time.Second - time.Nanosecond)
		refused(t, b.send("Bearer "+forged), "invalid_token", "not valid here")
		require.Equal(t, 1+round, b.issuer.Requests(authtest.Keys))
		b.clock.Advance(time.Nanosecond)
	}
	accepted(t, b.send("Bearer "+good))
}
