package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/internal/processtest"
	"booking/functions/internal/auth/authtest"
	"booking/seatlock/redistest"
)

// postAs posts a JSON body with a token, like a script of origin.
func postAs(t *testing.T, url, token, origin, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Origin", origin)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	_, text := read(t, resp)
	return resp, text
}

func TestBooking_ChecksTokensAndOrigins(t *testing.T) {
	t.Parallel()
	const origin, seat = "https://tickets.example.com", `{"seat_id":"1A"}`
	issuer := authtest.Start(t)
	ann := issuer.Token(t, "ann")
	issuer.Down()
	p := processtest.Start(t, "AUTH_ISSUER="+issuer.URL, "AUTH_AUDIENCE="+authtest.Audience, "CORS_ORIGINS="+origin)
	p.Await(t, "/readyz", http.StatusOK)
	p.AwaitLog(t, "the issuer's keys can't be fetched; start the issuer")
	status, _ := post(t, p.URL+"/reserve", ann1A)
	require.Equal(t, http.StatusUnauthorized, status)
	resp, text := postAs(t, p.URL+"/reserve", ann, origin, seat)
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode, text)
	require.NotContains(t, text, issuer.URL)

	issuer.Up(t)
	require.Eventually(t, func() bool {
		resp, text = postAs(t, p.URL+"/reserve", ann, origin, seat)
		return resp.StatusCode == http.StatusOK
	}, redistest.WaitLimit, 20*time.Millisecond)
	require.Contains(t, text, `"user_id":"ann"`)
	require.Equal(t, origin, resp.Header.Get("Access-Control-Allow-Origin"))
	resp, text = postAs(t, p.URL+"/buy", issuer.Token(t, "bob"), "https://elsewhere.example.com", seat)
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Contains(t, text, `"code":"held_by_other"`)
	require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))
	require.NotContains(t, p.Log(), ann, "the log has a token")
}
