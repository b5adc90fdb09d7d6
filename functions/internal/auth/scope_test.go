package auth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/api"
	"booking/functions/internal/auth"
	"booking/functions/internal/auth/authtest"
)

func TestSellers_NeedTheScope(t *testing.T) {
	t.Parallel()
	issuer := authtest.Start(t)
	role := func(t *testing.T, seller string, claims map[string]any) string {
		t.Helper()
		callers := auth.New(auth.Options{Issuer: issuer.URL, Audience: authtest.Audience, SellerScope: seller, Timeout: time.Minute})
		handler := callers.Buyers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller := api.CallerOf(r.Context())
			if caller.Seller {
				_, _ = io.WriteString(w, "seller")
			}
			_, _ = io.WriteString(w, caller.User) // a seller has none
		}))
		req := httptest.NewRequest(http.MethodPost, "/", nil)
		req.Header.Set("Authorization", "Bearer "+issuer.Sign(t, issuer.Claims("ann", time.Now(), claims)))
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		return rec.Body.String()
	}
	for name, test := range map[string]struct {
		claims map[string]any
		want   string
	}{
		"Scope":            {map[string]any{"scope": "booking:sell"}, "seller"},
		"OneOfScopes":      {map[string]any{"scope": "openid booking:sell email"}, "seller"},
		"SCPString":        {map[string]any{"scp": "email booking:sell"}, "seller"},
		"SCPList":          {map[string]any{"scp": []string{"email", "booking:sell"}}, "seller"},
		"SCPBesideScope":   {map[string]any{"scope": "openid", "scp": []string{"booking:sell"}}, "seller"},
		"ScopeBesideSCP":   {map[string]any{"scope": "booking:sell", "scp": []string{"email"}}, "seller"},
		"None":             {nil, "ann"},
		"Other":            {map[string]any{"scope": "openid", "scp": []string{"email"}}, "ann"},
		"Longer":           {map[string]any{"scope": "booking:sell:not xbooking:sell", "scp": []string{"booking:sell:not"}}, "ann"},
		"OtherCase":        {map[string]any{"scope": "Booking:Sell"}, "ann"},
		"ListInOneElement": {map[string]any{"scp": []string{"email booking:sell"}}, "ann"},
		"ScopeIsNoString":  {map[string]any{"scope": []string{"booking:sell"}}, "ann"},
		"SCPIsNoList":      {map[string]any{"scp": map[string]any{"booking:sell": true}}, "ann"},
		"SCPHasOtherTypes": {map[string]any{"scp": []any{"booking:sell", 7}}, "ann"},
		"Empty":            {map[string]any{"scope": "", "scp": []string{""}}, "ann"},
		"Null":             {map[string]any{"scope": "null", "scp": []any{}}, "ann"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, role(t, authtest.SellerScope, test.claims))
		})
	}
	require.Equal(t, "ann", role(t, "", map[string]any{"scope": "", "scp": []string{""}}), "no scope makes a seller")
	require.Equal(t, "seller", role(t, "sell", map[string]any{"sub": "the shop", "scope": "sell"}), "a seller's subject need not be a user_id")
}
