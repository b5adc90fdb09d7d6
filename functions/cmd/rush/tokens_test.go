package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/auth"
	"booking/functions/internal/auth/authtest"
)

// tokenFile writes a file of tokens that have the subjects and no signature.
func tokenFile(t *testing.T, subjects ...string) string {
	t.Helper()
	var lines strings.Builder
	for _, subject := range subjects {
		fmt.Fprintf(&lines, "e30.%s.c2ln\n", base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"sub":%q}`, subject)))
	}
	path := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(path, []byte(lines.String()), 0o600))
	return path
}

func TestSubjectOf_RefusesOtherTexts(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"", "secret", "a.b", "a.!.c", "a.bm8.c", "a.e30.c", "a.eyJzdWIiOjd9.c"} {
		_, ok := subjectOf(token)
		require.False(t, ok, token)
	}
	user, ok := subjectOf("e30.eyJzdWIiOiJhdXRoMHxhbm4ifQ.c2ln")
	require.True(t, ok)
	require.Equal(t, "auth0|ann", user)
}

func TestRush_SendsTokens(t *testing.T) {
	t.Parallel()
	issuer := authtest.Start(t)
	const secret = "a-secret-of-the-shop+/with=40-characters"
	sellerToken, err := auth.NewSellerToken(secret)
	require.NoError(t, err)
	var lines strings.Builder
	for n := range 60 {
		fmt.Fprintln(&lines, issuer.Token(t, fmt.Sprintf("auth0|%d", n)))
	}
	tokens := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte(lines.String()), 0o600))
	for name, opt := range map[string]auth.Options{
		"SellerToken": {SellerToken: sellerToken},
		"Both":        {SellerToken: sellerToken, Issuer: issuer.URL, Audience: authtest.Audience, SellerScope: authtest.SellerScope},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opt.Timeout = time.Minute
			url := serveRoles(t, brokenLocker{}, auth.New(opt))
			args := []string{"-url", url, "-event", "gala", "-put", "-delete", "-users", "60", "-seats", "30", "-duration", "3s", "-hold", "1s",
				"-think", "200ms", "-on-sale-after", "500ms", "-blocked", "0.1", "-seed", "7"}
			if name == "Both" {
				args = append(args, "-buyer-tokens", tokens)
			}
			var stdout, stderr bytes.Buffer
			env := func(name string) string { return map[string]string{"SELLER_TOKEN": secret + "\n"}[name] }
			require.Equal(t, statusKept, realMain(t.Context(), args, env, &stdout, &stderr), stdout.String()+stderr.String())
			require.Contains(t, stdout.String(), "no promise broken")
			require.NotContains(t, stdout.String(), "unexpected")
			require.Regexp(t, `(?m)^ buy +done`, stdout.String())
			require.Contains(t, stderr.String(), "The event gala and its sales are deleted.\n")
			require.NotContains(t, stdout.String()+stderr.String(), secret)
			resp, err := http.Get(url + "/events/gala")
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, http.StatusNotFound, resp.StatusCode)
		})
	}
}
