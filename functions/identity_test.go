package functions_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/internal/auth"
	"booking/functions/internal/auth/authtest"
	"booking/seatlock/redistest"
)

// mutations returns the paths of the functions that change a user's seats: those of the roles,
// or all if there are none. Not reserve-best, which takes another body.
func mutations(roles ...functions.Role) (paths []string) {
	for _, f := range functions.Table {
		for _, c := range f.Calls {
			if c.Method == http.MethodPost && f.Name != "reserve-best" && c.Role != functions.RoleSeller && (len(roles) == 0 || slices.Contains(roles, c.Role)) {
				paths = append(paths, c.Path)
			}
		}
	}
	return paths
}

// identify makes b require tokens of the issuer that it returns.
func identify(t *testing.T, b *testBundle) *authtest.Issuer {
	t.Helper()
	issuer := authtest.Start(t)
	identifyBy(t, b, issuer)
	return issuer
}

// identifyBy makes b require tokens of issuer.
func identifyBy(t *testing.T, b *testBundle, issuer *authtest.Issuer) {
	t.Helper()
	b.deps.Callers = auth.New(auth.Options{Issuer: issuer.URL, Audience: authtest.Audience, SellerScope: authtest.SellerScope, Timeout: time.Minute})
	b.serve(t, "")
}

// postAs posts body with token; an empty token sends none.
func (b *testBundle) postAs(t *testing.T, token, path, body string) response {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return b.do(t, req)
}

func TestMutations_ActForTheSubjectOfTheToken(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		issuer := identify(t, b)
		ann, bob := issuer.Token(t, "ann"), issuer.Token(t, "bob")
		const seat = `{"seat_id":"1A"}`

		for _, path := range mutations() {
			p := b.postAs(t, "", path, `{"seat_id":"1A","user_id":"ann"}`)
			p.problem(t, 401, "unauthenticated")
			require.Equal(t, `Bearer realm="booking"`, p.header.Get("WWW-Authenticate"))
			p = b.postAs(t, ann+"x", path, seat)
			p.problem(t, 401, "unauthenticated")
			require.Contains(t, p.header.Get("WWW-Authenticate"), `error="invalid_token"`)
		}
		for _, path := range mutations(functions.RoleBuyer) {
			q := b.postAs(t, bob, path, `{"seat_id":"1A","user_id":"ann"}`).problem(t, 403, "forbidden")
			require.Contains(t, q["detail"], "user_id is not the subject of your token")
			b.postAs(t, bob, path, `{"seat_id":"1A","user_id":"a b"}`).problem(t, 422, "invalid_request")
		}
		require.Equal(t, "Available", b.get(t, "/seats/1A").success(t)["status"])

		require.Equal(t, "ann", b.postAs(t, ann, "/reserve", seat).success(t)["user_id"])
		b.postAs(t, bob, "/reserve", seat).problem(t, 409, "seat_unavailable")
		b.postAs(t, bob, "/extend", seat).problem(t, 400, "held_by_other")
		require.Contains(t, b.postAs(t, ann, "/buy", seat).problem(t, 403, "forbidden")["detail"], "Only a seller may make this call")
		b.postAs(t, bob, "/release", seat).success(t)
		require.Equal(t, "Reserved", b.get(t, "/seats/1A").success(t)["status"], "bob released a seat of ann")

		b.postAs(t, ann, "/extend", `{"seat_id":"1A","user_id":"ann"}`).success(t)
		seller := issuer.SellerToken(t)
		b.postAs(t, seller, "/buy", `{"seat_id":"1A","user_id":"bob"}`).problem(t, 400, "held_by_other")
		require.Equal(t, "ann", b.postAs(t, seller, "/buy", `{"seat_id":"1A","user_id":"ann"}`).success(t)["user_id"])
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
	for _, path := range mutations() {
		p := b.postAs(t, logout, path, `{"seat_id":"1A"}`)
		require.Contains(t, p.problem(t, 401, "unauthenticated")["detail"], "Send the access token or the ID token")
	}
	require.Equal(t, "Available", b.get(t, "/seats/1A").success(t)["status"])
}

func TestReads_NeedNoToken(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	identify(t, b).Down()
	for _, path := range []string{"/seats/1A", "/seats", "/", "/docs", "/openapi.json", "/healthz"} {
		require.Equal(t, http.StatusOK, b.get(t, path).status, path)
	}
	require.Eventually(t, func() bool { return b.get(t, "/readyz").status == http.StatusOK }, redistest.WaitLimit, time.Millisecond)
}

func TestMutations_AreUnavailableWhileTheIssuerIsDown(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	issuer := authtest.Start(t)
	token := issuer.Token(t, "ann")
	issuer.Down()
	identifyBy(t, b, issuer)
	for _, path := range mutations() {
		b.postAs(t, token, path, `{"seat_id":"1A"}`).problem(t, 503, "unavailable")
	}
}
