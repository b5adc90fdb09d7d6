package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/sync/singleflight"
)

// How long what the issuer said, or that it could not be asked, holds before it is
// asked the same again. Whoever sends tokens with keys that nobody knows makes it
// be asked no more often.
const (
	askAfterAnswer = 5 * time.Second
	askAfterFault  = time.Second
)

// maxDocument is how long a document of the issuer may be, bytes.
const maxDocument = 1 << 20

// keys are the issuer's, found by its discovery document.
type keys struct {
	opt         Options
	client      *http.Client
	discovering singleflight.Group
	found       atomic.Pointer[oidc.RemoteKeySet]
}

func newKeys(opt Options) *keys {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return &keys{opt: opt, client: &http.Client{
		Transport:     &sparing{next: transport, now: opt.Now, answers: map[string]answer{}},
		Timeout:       opt.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("the issuer redirects") },
	}}
}

// remote returns the set of keys, which keeps them and fetches those it does not
// know; where it is not found yet, it is looked for until ctx ends.
func (k *keys) remote(ctx context.Context) (*oidc.RemoteKeySet, error) {
	if set := k.found.Load(); set != nil {
		return set, nil
	}
	looked := k.discovering.DoChan("", func() (any, error) { return nil, k.discover() })
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-looked:
		return k.found.Load(), result.Err
	}
}

func (k *keys) discover() error {
	ctx := oidc.ClientContext(context.Background(), k.client)
	provider, err := oidc.NewProvider(ctx, k.opt.Issuer)
	if err != nil {
		return err
	}
	var document struct {
		JWKSURI string `json:"jwks_uri"`
	}
	if err := provider.Claims(&document); err != nil {
		return err
	}
	if document.JWKSURI == "" {
		return errors.New("the issuer's discovery document has no jwks_uri")
	}
	k.found.Store(oidc.NewRemoteKeySet(ctx, document.JWKSURI))
	return nil
}

// wrongSignature is what oidc.RemoteKeySet says of a token that none of the keys
// signed. All else that it says is why it has no keys.
const wrongSignature = "failed to verify id token signature"

// askedKeys is the oidc.KeySet for one token. It remembers why there were no keys,
// which the verifier's error does not tell.
type askedKeys struct {
	keys  *keys
	fault error
}

// VerifySignature returns the payload of the token.
func (a *askedKeys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	set, err := a.keys.remote(ctx)
	if err != nil {
		a.fault = err
		return nil, err
	}
	payload, err := set.VerifySignature(ctx, token)
	if err != nil && err.Error() != wrongSignature {
		a.fault = err
	}
	return payload, err
}

// sparing is an http.RoundTripper that asks the same seldom: in between, its answer
// is the last one.
type sparing struct {
	next    http.RoundTripper
	now     func() time.Time
	mu      sync.Mutex // held while the issuer is asked
	answers map[string]answer
}

// answer is what there was at a URL, or the error with which it could not be had.
type answer struct {
	until time.Time // it holds
	resp  http.Response
	body  []byte
	err   error
}

// RoundTrip asks, or answers with what it knows.
func (s *sparing) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	url := r.URL.String()
	known, ok := s.answers[url]
	if !ok || !s.now().Before(known.until) {
		known = s.ask(r)
		s.answers[url] = known // of two URLs, discovery's and the keys'
	}
	if known.err != nil {
		return nil, known.err
	}
	resp := known.resp
	resp.Body = io.NopCloser(bytes.NewReader(known.body))
	return &resp, nil
}

func (s *sparing) ask(r *http.Request) answer {
	resp, err := s.next.RoundTrip(r)
	if err != nil {
		return answer{until: s.now().Add(askAfterFault), err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(http.MaxBytesReader(nil, resp.Body, maxDocument))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the issuer answers %s", resp.Status)
	}
	if err != nil {
		return answer{until: s.now().Add(askAfterFault), err: err}
	}
	return answer{until: s.now().Add(askAfterAnswer), resp: *resp, body: body}
}
