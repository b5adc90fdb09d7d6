package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// When the keys are fetched. unknownInterval also bounds fetches caused by tokens with
// unknown key IDs.
const (
	refreshInterval = 5 * time.Minute // a withdrawn key is refused after it
	refreshJitter   = time.Minute     // a refresh starts up to this much earlier
	unknownInterval = 5 * time.Second // between two fetches for a key that is not cached
	retryInterval   = time.Second     // after a failed fetch
	maxStale        = time.Hour       // how long keys are used while refreshes fail
)

// maxDocument is the limit of a document of the issuer, bytes.
const maxDocument = 1 << 20

var (
	errNoKeys    = errors.New("auth: the issuer's keys can't be fetched")
	errSignature = errors.New("auth: none of the issuer's keys signed the token")
)

// keyCache caches the keys that the issuer publishes. A token starts a refresh in the
// background if one is due. It waits for that only if its key is not cached, or if the last
// fetch is older than refreshInterval.
type keyCache struct {
	opt    Options
	client *http.Client

	mu          sync.Mutex
	keys        []jose.JSONWebKey
	fetchedAt   time.Time     // when the fetch of keys started; zero if none has succeeded
	attemptedAt time.Time     // when the last fetch started, failed or not
	refreshAt   time.Time     // when the next fetch is due
	err         error         // of the last fetch
	running     chan struct{} // closed when the running fetch ends; nil if none runs
}

// newKeyCache returns a cache and starts its first fetch.
func newKeyCache(opt Options) *keyCache {
	c := &keyCache{opt: opt, client: &http.Client{
		Transport:     http.DefaultTransport.(*http.Transport).Clone(),
		Timeout:       opt.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("the issuer redirects") },
	}}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.startFetch()
	return c
}

// verify returns the payload of the token if one of the keys signed it. The error is
// errSignature, or errNoKeys if the signing key may be new and can't be fetched.
func (c *keyCache) verify(ctx context.Context, token *jose.JSONWebSignature) ([]byte, error) {
	keys, _ := c.get(ctx, false)
	if payload, ok := verifyWith(keys, token); ok {
		return payload, nil
	}
	// The key may be new (https://openid.net/specs/openid-connect-core-1_0.html#RotateSigKeys).
	keys, err := c.get(ctx, true)
	if payload, ok := verifyWith(keys, token); ok {
		return payload, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoKeys, err)
	}
	return nil, errSignature
}

// verifyWith verifies the signature of the token. A token without a key ID may be signed
// with any of the keys.
func verifyWith(keys []jose.JSONWebKey, token *jose.JSONWebSignature) ([]byte, bool) {
	kid := token.Signatures[0].Header.KeyID
	for _, key := range keys {
		if kid != "" && kid != key.KeyID {
			continue
		}
		if payload, err := token.Verify(key.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// get returns the cached keys, and the error of the last fetch. If unknown, the cache lacks
// the token's key, and get fetches the keys first unless unknownInterval forbids it.
func (c *keyCache) get(ctx context.Context, unknown bool) ([]jose.JSONWebKey, error) {
	running, wait := c.fetchIfDue(unknown)
	var interrupted error
	if wait {
		var giveUp <-chan time.Time
		if !unknown { // then use the cached keys while the request has time left
			giveUp = time.After(c.opt.Timeout / 2)
		}
		select {
		case <-running:
		case <-giveUp:
		case <-ctx.Done():
			interrupted = ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opt.Now().Sub(c.fetchedAt) >= maxStale {
		return nil, errors.Join(interrupted, c.err)
	}
	return c.keys, errors.Join(interrupted, c.err)
}

// fetchIfDue starts a fetch if one is due. It returns a channel that is closed when the
// running fetch ends, and whether the token has to wait for that.
func (c *keyCache) fetchIfDue(unknown bool) (running <-chan struct{}, wait bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, due := c.opt.Now(), c.refreshAt
	if next := c.attemptedAt.Add(unknownInterval); unknown && next.Before(due) {
		due = next
	}
	if c.running == nil && !now.Before(due) {
		c.startFetch()
	}
	return c.running, c.running != nil && (unknown || now.Sub(c.attemptedAt) >= refreshInterval)
}

// startFetch starts a fetch in the background. c.mu is held, and no fetch runs.
func (c *keyCache) startFetch() {
	started, running := c.opt.Now(), make(chan struct{})
	c.running = running
	go func() {
		defer close(running)
		keys, err := c.fetch(context.Background())
		left := c.store(started, keys, err)
		switch {
		case err != nil:
			slog.Warn("the issuer's keys can't be fetched; start the issuer, let it be reached, or correct AUTH_ISSUER",
				"issuer", c.opt.Issuer, "error", err, "last_keys_are_used_for", left.String())
		case len(keys) == 0:
			slog.Warn("the issuer publishes no signing key, so every token is refused; publish the keys it signs with", "issuer", c.opt.Issuer)
		}
	}()
}

// store stores the result of a fetch. It returns how long the cached keys may be used if
// every other fetch fails.
func (c *keyCache) store(started time.Time, keys []jose.JSONWebKey, err error) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.opt.Now()
	c.running, c.attemptedAt, c.err = nil, started, err
	if err != nil {
		c.refreshAt = now.Add(retryInterval)
	} else {
		c.keys, c.fetchedAt = keys, started
		c.refreshAt = started.Add(refreshInterval - rand.N(refreshJitter))
	}
	return max(0, c.fetchedAt.Add(maxStale).Sub(now))
}

// fetch fetches the discovery document, and then the keys that it points to
// (https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig).
//
// An empty set is valid, because an issuer can withdraw its last key, for example after a
// theft. A document that is not a set is an error.
func (c *keyCache) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	var discovery struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := c.getJSON(ctx, strings.TrimSuffix(c.opt.Issuer, "/")+"/.well-known/openid-configuration", &discovery); err != nil {
		return nil, fmt.Errorf("the issuer's discovery document: %w", err)
	}
	if discovery.Issuer != c.opt.Issuer {
		return nil, fmt.Errorf("the issuer's discovery document is of issuer %q", discovery.Issuer)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := c.getJSON(ctx, discovery.JWKSURI, &set); err != nil {
		return nil, fmt.Errorf("the issuer's keys: %w", err)
	}
	if set.Keys == nil {
		return nil, errors.New("the issuer's keys: the document has no keys")
	}
	return signingKeys(set.Keys), nil
}

// signingKeys returns the keys for signatures. It ignores keys of unknown types
// (https://www.rfc-editor.org/rfc/rfc7517#section-5).
func signingKeys(set []json.RawMessage) []jose.JSONWebKey {
	var keys []jose.JSONWebKey
	for _, member := range set {
		var key jose.JSONWebKey
		if err := json.Unmarshal(member, &key); err != nil {
			slog.Debug("key of the issuer ignored", "error", err)
			continue
		}
		if key.Use == "" || key.Use == "sig" {
			keys = append(keys, key)
		}
	}
	return keys
}

// getJSON decodes the JSON document at url. It bypasses HTTP caches.
func (c *keyCache) getJSON(ctx context.Context, url string, document any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Cache-Control", "no-cache")
	resp, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, resp.Body, maxDocument))
	if err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	if err := json.Unmarshal(body, document); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	return nil
}
