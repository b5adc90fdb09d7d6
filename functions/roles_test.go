package functions_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/internal/api"
	"booking/functions/internal/auth"
	"booking/functions/internal/auth/authtest"
	"booking/seatlock/redistest"
)

const sellerSecret = "a-secret-of-the-shop+/with=40-characters"

// setting is one way to configure the roles.
type setting struct {
	issuer, sellerToken, inPod bool
}

var settings = map[string]setting{
	"NoRoles":      {},
	"NoRolesInPod": {inPod: true},
	"Issuer":       {issuer: true, inPod: true},
	"SellerToken":  {sellerToken: true, inPod: true},
	"Both":         {issuer: true, sellerToken: true, inPod: true},
}

// callers are all kinds of callers: each sends a token and names a user.
var callers = []string{"NoToken", "Buyer", "BuyerForOther", "SellerByScope", "SellerByToken", "WrongToken"}

// statuses are what each of callers gets, in their order. ok is any answer of the call.
const ok = 0

var statuses = map[functions.Role]map[string][6]int{
	functions.RoleAnyone: {},
	functions.RoleBuyer: {
		"Issuer": {401, ok, 403, ok, 401, 401},
		"Both":   {401, ok, 403, ok, ok, 401},
	},
	functions.RoleSellerIfAny: {
		"Issuer":      {401, 403, 403, ok, 401, 401},
		"SellerToken": {401, 401, 401, 401, ok, 401},
		"Both":        {401, 403, 403, ok, ok, 401},
	},
	functions.RoleSeller: {
		"NoRolesInPod": {403, 403, 403, 403, 403, 403},
		"Issuer":       {401, 403, 403, ok, 401, 401},
		"SellerToken":  {401, 401, 401, 401, ok, 401},
		"Both":         {401, 403, 403, ok, ok, 401},
	},
}

// apply makes b use the setting. Its issuer is the one of the tokens.
func (s setting) apply(t *testing.T, b *testBundle, issuer *authtest.Issuer) {
	t.Helper()
	b.deps.InPod = s.inPod
	b.deps.Callers = s.callers(t, issuer)
	b.serve(t, "")
}

func (s setting) callers(t *testing.T, issuer *authtest.Issuer) *auth.Callers {
	t.Helper()
	opt := auth.Options{Timeout: time.Minute}
	if s.issuer {
		opt.Issuer, opt.Audience, opt.SellerScope = issuer.URL, authtest.Audience, authtest.SellerScope
	}
	if s.sellerToken {
		var err error
		opt.SellerToken, err = auth.NewSellerToken(sellerSecret)
		require.NoError(t, err)
	}
	if opt.Issuer == "" && opt.SellerToken == nil {
		return nil
	}
	return auth.New(opt)
}

// token returns what a caller sends, and the user that it names.
func token(t *testing.T, caller string, issuer *authtest.Issuer) (token, user string) {
	t.Helper()
	switch caller {
	case "Buyer":
		return issuer.Token(t, "ann"), "ann"
	case "BuyerForOther":
		return issuer.Token(t, "ann"), "bob"
	case "SellerByScope":
		return issuer.SellerToken(t), "ann"
	case "SellerByToken":
		return sellerSecret, "ann"
	case "WrongToken":
		return sellerSecret[:len(sellerSecret)-1] + "x", "ann"
	}
	return "", "ann"
}

// requireStatus asserts that a caller got what statuses says.
func requireStatus(t *testing.T, want int, got response) {
	t.Helper()
	switch want {
	case http.StatusUnauthorized:
		got.problem(t, want, "unauthenticated")
		require.Contains(t, got.header.Get("WWW-Authenticate"), "Bearer")
	case http.StatusForbidden:
		got.problem(t, want, "forbidden")
	default:
		require.NotContains(t, []int{401, 403, 405, 500, 503}, got.status, got.body)
		require.NotContains(t, got.body, `"code":"not_found"`)
	}
	require.NotContains(t, got.body, sellerSecret)
}

func TestTable_EachCallIsOpenToItsRoleAlone(t *testing.T) {
	t.Parallel()
	issuer := authtest.Start(t)
	for name, s := range settings {
		b := setup(t, redistest.Mini(t), "")
		s.apply(t, b, issuer)
		for _, f := range functions.Table {
			for _, c := range f.Calls {
				wants, known := statuses[c.Role]
				require.True(t, known, "%s %s", c.Method, c.Path)
				for i, caller := range callers {
					bearer, user := token(t, caller, issuer)
					method := c.Method
					if f.Name == "changes" { // GET would not end
						method = http.MethodHead
					}
					req := httptest.NewRequest(method, examples.Replace(strings.ReplaceAll(c.Path, "{user_id}", user)), strings.NewReader(`{"seat_id":"1A","user_id":"`+user+`"}`))
					req.Header.Set("Content-Type", "application/json")
					if bearer != "" {
						req.Header.Set("Authorization", "Bearer "+bearer)
					}
					t.Run(strings.Join([]string{name, c.Method, c.Path, caller}, " "), func(t *testing.T) {
						requireStatus(t, wants[name][i], b.do(t, req))
					})
				}
			}
		}
	}
}

// Each role, even if no call of the table has it; and what the handler learns of its caller.
func TestAdmit_TellsTheCaller(t *testing.T) {
	t.Parallel()
	issuer := authtest.Start(t)
	annBuys, anySells, anyHolds := api.Caller{User: "ann"}, api.Caller{Seller: true}, api.Caller{}
	known := map[string][6]api.Caller{
		"NoRoles":      {anySells, anySells, anySells, anySells, anySells, anySells},
		"NoRolesInPod": {anyHolds, anyHolds, anyHolds, anyHolds, anyHolds, anyHolds},
		"Issuer":       {{}, annBuys, annBuys, anySells, {}, {}},
		"SellerToken":  {anyHolds, anyHolds, anyHolds, anyHolds, anySells, anyHolds},
		"Both":         {{}, annBuys, annBuys, anySells, anySells, {}},
	}
	for name, s := range settings {
		deps := functions.Deps{InPod: s.inPod, Callers: s.callers(t, issuer)}
		for role, wants := range statuses {
			for i, caller := range callers {
				var got *api.Caller
				handler := deps.Admit(role, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					sender := api.CallerOf(r.Context())
					got = &sender
				}))
				req := httptest.NewRequest(http.MethodPost, "/", nil)
				if bearer, _ := token(t, caller, issuer); bearer != "" {
					req.Header.Set("Authorization", "Bearer "+bearer)
				}
				rec := httptest.NewRecorder()
				handler.ServeHTTP(rec, req)
				want := wants[name][i]
				if want == http.StatusForbidden && role == functions.RoleBuyer {
					want = ok // the handler refuses another user
				}
				if want != ok {
					require.Equal(t, want, rec.Code, "%s %d %s", name, role, caller)
					require.Nil(t, got)
					continue
				}
				require.NotNil(t, got, "%s %d %s: %s", name, role, caller, rec.Body)
				if role != functions.RoleAnyone {
					require.Equal(t, known[name][i], *got, "%s %d %s", name, role, caller)
				}
			}
		}
	}
}

func TestSeller_ActsForTheUserThatItNames(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	issuer := authtest.Start(t)
	setting{issuer: true, sellerToken: true}.apply(t, b, issuer)
	for user, seller := range map[string]string{"1A": issuer.SellerToken(t), "1B": sellerSecret} {
		body := `{"seat_id":"` + user + `","user_id":"` + user + `"}`
		for _, path := range []string{"/reserve", "/extend", "/buy"} {
			require.Equal(t, user, b.postAs(t, seller, path, body).success(t)["user_id"])
		}
		for _, path := range mutations() {
			p := b.postAs(t, seller, path, `{"seat_id":"1A"}`).problem(t, 422, "invalid_request")
			require.Contains(t, p["detail"], "user_id is missing")
		}
	}
}

func TestHandler_KeepsTheRolesAtTheRootOfItsTarget(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	issuer := authtest.Start(t)
	setting{issuer: true}.apply(t, b, issuer)
	b.serve(t, "buy")
	for _, path := range []string{"/buy", "/"} {
		p := b.postAs(t, issuer.Token(t, "ann"), path, `{"seat_id":"1A"}`)
		p.problem(t, 403, "forbidden")
		require.Contains(t, p.header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
		require.Contains(t, p.header.Get("WWW-Authenticate"), `scope="booking:sell"`)
		b.postAs(t, issuer.SellerToken(t), path, `{"seat_id":"1A","user_id":"ann"}`).problem(t, 400, "hold_expired")
	}
}

func TestMethods_ServesEachMethodOfAPathToItsRole(t *testing.T) {
	t.Parallel()
	f := functions.Function{Calls: []functions.Call{
		{Method: http.MethodGet, Path: "/events", Role: functions.RoleAnyone},
		{Method: http.MethodGet, Path: "/events/{event_id}", Role: functions.RoleAnyone},
		{Method: http.MethodPut, Path: "/events/{event_id}", Role: functions.RoleSeller},
		{Method: http.MethodGet, Path: "/events/{event_id}/sales", Role: functions.RoleSeller},
	}}
	require.Len(t, f.Paths(false), 3)
	root := f.Paths(true)["/{$}"]
	require.Equal(t, []functions.Call{{Method: "GET", Path: "/{$}", Role: functions.RoleSeller}, {Method: "PUT", Path: "/{$}", Role: functions.RoleSeller}}, root,
		"one path serves all its calls, so each method needs the strictest role")

	deps := functions.Deps{Callers: setting{sellerToken: true}.callers(t, nil)}
	handler := deps.Methods(f.Paths(false)["/events/{event_id}"], http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "PUT": 401, "POST": 405, "DELETE": 405, "PATCH": 405} {
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, httptest.NewRequest(method, "/events/gala", nil))
		require.Equal(t, want, rec.Code, method)
		if want == http.StatusMethodNotAllowed {
			require.Equal(t, "GET, HEAD, PUT", rec.Header().Get("Allow"))
		}
	}
}

func TestRefused_NamesFunctionsThatNeedSellersInAPod(t *testing.T) {
	t.Parallel()
	var want []string
	for _, f := range functions.Table {
		for _, c := range f.Calls {
			if c.Role == functions.RoleSeller {
				want = append(want, f.Name)
				break
			}
		}
	}
	require.Equal(t, want, functions.Deps{InPod: true}.Refused(""))
	require.Empty(t, functions.Deps{InPod: true}.Refused("reserve"))
	require.Empty(t, functions.Deps{}.Refused(""))
	require.Empty(t, functions.Deps{InPod: true, Callers: setting{sellerToken: true}.callers(t, nil)}.Refused(""))
}
