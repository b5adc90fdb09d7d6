package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions"
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
	resp, text = postAs(t, p.URL+"/buy", ann, "https://elsewhere.example.com", seat)
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	require.Contains(t, text, `"code":"forbidden"`)
	require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))
	seller := issuer.SellerToken(t)
	resp, text = postAs(t, p.URL+"/buy", seller, origin, ann1A)
	require.Equal(t, http.StatusOK, resp.StatusCode, text)
	for _, token := range []string{ann, seller} {
		require.NotContains(t, p.Log(), token, "the log has a token")
	}
}

func TestBooking_TakesTheSellersToken(t *testing.T) {
	t.Parallel()
	first, second := strings.Repeat("1", 32), strings.Repeat("2", 32)
	path := filepath.Join(t.TempDir(), "token")
	write := func(content string) { require.NoError(t, os.WriteFile(path, []byte(content), 0o600)) }
	write(first + "\n")
	p := processtest.Start(t, "SELLER_TOKEN_FILE="+path)
	p.Await(t, "/readyz", http.StatusOK)
	buy := func(token string) int {
		resp, _ := postAs(t, p.URL+"/buy", token, "", ann1A)
		return resp.StatusCode
	}
	status, _ := post(t, p.URL+"/reserve", ann1A)
	require.Equal(t, http.StatusOK, status, "a buyer needs no token")
	status, _ = post(t, p.URL+"/buy", ann1A)
	require.Equal(t, http.StatusUnauthorized, status)
	require.Equal(t, http.StatusOK, buy(first))

	write("")
	require.Eventually(t, func() bool {
		require.Equal(t, http.StatusOK, buy(first))
		return strings.Contains(p.Log(), "SELLER_TOKEN_FILE can't be used, so the last token remains valid")
	}, redistest.WaitLimit, 20*time.Millisecond)
	write(second)
	require.Eventually(t, func() bool { return buy(second) == http.StatusOK }, redistest.WaitLimit, 20*time.Millisecond)
	require.Equal(t, http.StatusUnauthorized, buy(first))
	require.Contains(t, p.Log(), "the seller's token has changed")
	for _, token := range []string{first, second} {
		require.NotContains(t, p.Log(), token, "the log has a token")
	}
	_, access := get(t, p.URL+"/page/settings.json?event_id=default")
	require.JSONEq(t, `{"hold":true,"sell":false,"max_seats":10}`, access)

	write("short")
	broken := processtest.Start(t, "SELLER_TOKEN_FILE="+path)
	require.Equal(t, 2, broken.Wait())
	require.Contains(t, broken.Log(), "SELLER_TOKEN_FILE can't be used (auth: the seller's token has 5 characters")
}

// In a pod without roles, no caller may make the calls of functions.RoleSeller.
func TestBooking_SaysWhichCallsItRefusesInAPod(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	const warning = "in a pod only sellers may make the calls of these functions"
	secret := "SELLER_TOKEN=" + strings.Repeat("s", 32)
	for _, env := range [][]string{{"K_SERVICE=booking"}, {"K_SERVICE=booking", secret}, {}} {
		p := processtest.Start(t, append([]string{"REDIS_URL=redis://" + r.Addr}, env...)...)
		p.AwaitLog(t, "started")
		refused := len(env) == 1 && len(functions.Deps{InPod: true}.Refused("")) > 0
		require.Equal(t, refused, strings.Contains(p.Log(), warning), env)
	}
}
