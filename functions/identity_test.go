package functions_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/auth"
	"booking/functions/internal/auth/authtest"
	"booking/seatlock/redistest"
)

var mutations = []string{"/reserve", "/extend", "/release", "/buy"}

// identify makes the bundle ask for tokens of an issuer.
func identify(t *testing.T, b *testBundle) *authtest.Issuer {
	t.Helper()
	issuer := authtest.Start(t)
	b.needs.Prove = auth.New(auth.Options{Issuer: issuer.URL, Audience: authtest.Audience, Timeout: time.Minute}).Middleware
	b.serve(t, "")
	return issuer
}

// postAs posts a body with a token; with none where it is empty.
func (b *testBundle) postAs(t *testing.T, token, path, body string) answer {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return b.do(t, req)
}

func TestTheTokenSaysWhoseTheSeatsAre(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		issuer := identify(t, b)
		ann, bob := issuer.Token(t, "ann"), issuer.Token(t, "bob")
		const seat = `{"seat_id":"1A"}`

		for _, path := range mutations {
			p := b.postAs(t, "", path, `{"seat_id":"1A","user_id":"ann"}`)
			p.problem(t, 401, "unauthenticated")
			require.Equal(t, `Bearer realm="booking"`, p.header.Get("WWW-Authenticate"))
			p = b.postAs(t, ann+"x", path, seat)
			p.problem(t, 401, "unauthenticated")
			require.Contains(t, p.header.Get("WWW-Authenticate"), `error="invalid_token"`)
			q := b.postAs(t, bob, path, `{"seat_id":"1A","user_id":"ann"}`).problem(t, 403, "forbidden")
			require.Contains(t, q["detail"], "user_id is not the subject of your token")
			b.postAs(t, bob, path, `{"seat_id":"1A","user_id":"a b"}`).problem(t, 422, "invalid_request")
		}
		require.Equal(t, "Available", b.get(t, "/seats/1A").success(t)["status"])

		require.Equal(t, "ann", b.postAs(t, ann, "/reserve", seat).success(t)["user_id"])
		b.postAs(t, bob, "/reserve", seat).problem(t, 409, "seat_unavailable")
		b.postAs(t, bob, "/extend", seat).problem(t, 400, "held_by_other")
		b.postAs(t, bob, "/buy", seat).problem(t, 400, "held_by_other")
		b.postAs(t, bob, "/release", seat).success(t)
		require.Equal(t, "Reserved", b.get(t, "/seats/1A").success(t)["status"], "bob has let go of ann's seat")

		b.postAs(t, ann, "/extend", `{"seat_id":"1A","user_id":"ann"}`).success(t)
		require.Equal(t, "ann", b.postAs(t, ann, "/buy", seat).success(t)["user_id"])
		b.postAs(t, bob, "/buy", seat).problem(t, 400, "held_by_other")
		require.Equal(t, "Sold", b.get(t, "/seats/1A").success(t)["status"])
	})
}

func TestMutations_RefuseLogoutTokens(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	issuer := identify(t, b)
	logout := issuer.SignType(t, "logout+jwt", issuer.Claims("ann", time.Now(), map[string]any{
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}))
	for _, path := range mutations {
		p := b.postAs(t, logout, path, `{"seat_id":"1A"}`)
		require.Contains(t, p.problem(t, 401, "unauthenticated")["detail"], "Send the access token or the ID token")
	}
	require.Equal(t, "Available", b.get(t, "/seats/1A").success(t)["status"])
}

func TestReadsNeedNoToken(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	identify(t, b).Down()
	for _, path := range []string{"/seats/1A", "/seats", "/", "/docs", "/openapi.json", "/healthz"} {
		require.Equal(t, http.StatusOK, b.get(t, path).status, path)
	}
	require.Eventually(t, func() bool { return b.get(t, "/readyz").status == http.StatusOK }, redistest.Patience, time.Millisecond)
}

func TestTheIssuerIsDown(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	issuer := authtest.Start(t)
	token := issuer.Token(t, "ann")
	issuer.Down()
	b.needs.Prove = auth.New(auth.Options{Issuer: issuer.URL, Audience: authtest.Audience, Timeout: time.Minute}).Middleware
	b.serve(t, "")
	for _, path := range mutations {
		b.postAs(t, token, path, `{"seat_id":"1A"}`).problem(t, 503, "unavailable")
	}
}
