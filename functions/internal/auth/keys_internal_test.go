package auth

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// hangingIssuer is an http.RoundTripper to an issuer with one key. It hangs if hangs is set.
type hangingIssuer struct{ hangs atomic.Bool }

func (i *hangingIssuer) RoundTrip(r *http.Request) (*http.Response, error) {
	if i.hangs.Load() {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	const documents = `{"issuer":"https://issuer.example.com","jwks_uri":"https://issuer.example.com/keys",
		"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(documents)), Request: r}, nil
}

func TestKeyCache_WaitsForAHangingIssuerForHalfTheTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const timeout = 2 * time.Second
		issuer := &hangingIssuer{}
		c := &keyCache{
			opt:    Options{Issuer: "https://issuer.example.com", Timeout: timeout, Now: time.Now},
			client: &http.Client{Transport: issuer, Timeout: timeout},
		}
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		keys, err := c.get(ctx, true)
		require.NoError(t, err)
		require.Len(t, keys, 1)

		issuer.hangs.Store(true)
		time.Sleep(refreshInterval)
		ctx, cancel = context.WithTimeout(t.Context(), timeout)
		defer cancel()
		began := time.Now()
		keys, err = c.get(ctx, false)
		require.NoError(t, err)
		require.Len(t, keys, 1)
		require.Equal(t, timeout/2, time.Since(began))

		_, err = c.get(ctx, true)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, timeout, time.Since(began))
		synctest.Wait()
	})
}
