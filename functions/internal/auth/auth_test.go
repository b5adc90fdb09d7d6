package auth_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"booking/functions/internal/api"
	"booking/functions/internal/auth"
	"booking/functions/internal/auth/authtest"
)

// logged records the warnings of all tests.
var logged = &warnings{of: map[string][]string{}}

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(logged))
	os.Exit(m.Run())
}

// warnings is a slog.Handler that records the warnings about each issuer.
type warnings struct {
	mu sync.Mutex
	of map[string][]string
}

func (w *warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (w *warnings) WithAttrs([]slog.Attr) slog.Handler               { return w }
func (w *warnings) WithGroup(string) slog.Handler                    { return w }

func (w *warnings) Handle(_ context.Context, record slog.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "issuer" {
			w.of[a.Value.String()] = append(w.of[a.Value.String()], record.Message)
		}
		return true
	})
	return nil
}

// about returns the warnings about an issuer.
func (w *warnings) about(issuer *authtest.Issuer) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.of[issuer.URL]...)
}

// clock is a fake clock.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Unix(1_700_000_000, 0).UnixNano())
	return c
}

func (c *clock) Now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) Advance(d time.Duration) { c.ns.Add(int64(d)) }

// testBundle is a handler that answers with the user of its token, and the issuer.
type testBundle struct {
	issuer  *authtest.Issuer
	clock   *clock
	timeout time.Duration
	handler http.Handler
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	b := &testBundle{issuer: authtest.Start(t), clock: newClock(), timeout: time.Hour}
	b.restart()
	return b
}

// restart makes Callers with an empty cache.
func (b *testBundle) restart() {
	callers := auth.New(auth.Options{Issuer: b.issuer.URL, Audience: authtest.Audience, Timeout: b.timeout, Now: b.clock.Now})
	b.handler = callers.Buyers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seats, err := api.DecodeSeats(w, r, api.Rules{MaxSeats: 10})
		if err != nil {
			api.WriteError(w, r, err)
			return
		}
		_, _ = io.WriteString(w, seats.UserID)
	}))
}

// send sends a request with fields of Authorization. The body has a seat and no user.
func (b *testBundle) send(fields ...string) *httptest.ResponseRecorder {
	return b.sendWithin(context.Background(), fields...)
}

// sendWithin is send by a client that hangs up when ctx ends.
func (b *testBundle) sendWithin(ctx context.Context, fields ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/reserve", strings.NewReader(`{"seat_id":"1A"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header["Authorization"] = fields
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, r)
	return rec
}

func (b *testBundle) sign(t *testing.T, user string, others map[string]any) string {
	t.Helper()
	return b.issuer.Sign(t, b.issuer.Claims(user, b.clock.Now(), others))
}

func accepted(t *testing.T, rec *httptest.ResponseRecorder) {
	t.Helper()
	require.Equal(t, http.StatusOK, rec.Code, rec.Body)
	require.Equal(t, "ann", rec.Body.String())
}

// refused asserts status 401, the code of RFC 6750, and words in the body.
func refused(t *testing.T, rec *httptest.ResponseRecorder, code, words string) {
	t.Helper()
	require.Equal(t, http.StatusUnauthorized, rec.Code, rec.Body)
	require.Contains(t, rec.Body.String(), `"code":"unauthenticated"`)
	require.Contains(t, rec.Body.String(), words)
	challenge := rec.Header().Get("WWW-Authenticate")
	if code == "" {
		require.Equal(t, `Bearer realm="booking"`, challenge)
		return
	}
	require.Contains(t, challenge, `Bearer realm="booking", error="`+code+`", error_description="`)
}

func TestBuyers_AcceptsValidTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, algorithm := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA} {
		t.Run(string(algorithm), func(t *testing.T) {
			b.issuer.Rotate(t, algorithm)
			b.clock.Advance(time.Minute)
			accepted(t, b.send("Bearer "+b.sign(t, "ann", nil)))
		})
	}
	t.Run("SchemeInAnyCase", func(t *testing.T) {
		accepted(t, b.send("bEARER  "+b.sign(t, "ann", nil)))
	})
	t.Run("OneAudienceOfSeveral", func(t *testing.T) {
		accepted(t, b.send("Bearer "+b.sign(t, "ann", map[string]any{"aud": []string{"shop", authtest.Audience}})))
	})
	t.Run("UntilItExpires", func(t *testing.T) {
		token := b.sign(t, "ann", nil)
		b.clock.Advance(time.Hour)
		accepted(t, b.send("Bearer "+token))
		b.clock.Advance(time.Second)
		refused(t, b.send("Bearer "+token), "invalid_token", "expired")
	})
}

func TestBuyers_RefusesInvalidTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.issuer.Rotate(t, jose.RS256)
	b.clock.Advance(5 * time.Second)
	good := b.sign(t, "ann", nil)
	accepted(t, b.send("Bearer "+good))
	parts := strings.Split(good, ".")
	encode := base64.RawURLEncoding.EncodeToString
	now := b.clock.Now()
	claims := b.issuer.Claims("ann", now, nil)
	other := authtest.NewKey(t, jose.RS256)
	const notValid = "The token is not valid here"
	for name, test := range map[string]struct {
		authorization string
		code, words   string
	}{
		"Basic":           {"Basic YW5uOnNlY3JldA==", "", "needs a token"},
		"SchemeAlone":     {"Bearer", "invalid_request", "missing"},
		"SchemeAndSpaces": {"Bearer   ", "invalid_request", "missing"},
		"NoJWT":           {"Bearer sesame", "invalid_token", notValid},
		"TooLong":         {"Bearer " + strings.Repeat("a", 8<<10+1), "invalid_token", "longer than 8 KiB"},
		"TwoTokens":       {"Bearer " + good + ", " + good, "invalid_token", "compact form"},
		"JSONForm":        {`Bearer {"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, "invalid_token", "compact form"},
		"Expired":         {"Bearer " + b.sign(t, "ann", map[string]any{"exp": now.Add(-time.Second).Unix()}), "invalid_token", "expired"},
		"WithoutExpiry":   {"Bearer " + b.sign(t, "ann", map[string]any{"exp": nil}), "invalid_token", "expired"},
		"NotYetValid":     {"Bearer " + b.sign(t, "ann", map[string]any{"nbf": now.Add(10 * time.Minute).Unix()}), "invalid_token", notValid},
		"OtherAudience":   {"Bearer " + b.sign(t, "ann", map[string]any{"aud": "shop"}), "invalid_token", notValid},
		"NoAudience":      {"Bearer " + b.sign(t, "ann", map[string]any{"aud": nil}), "invalid_token", notValid},
		"OtherIssuer":     {"Bearer " + b.sign(t, "ann", map[string]any{"iss": "https://issuer.example.com"}), "invalid_token", notValid},
		"OtherKey":        {"Bearer " + authtest.Sign(t, jose.RS256, other, "2", claims), "invalid_token", notValid},
		"UnknownKey":      {"Bearer " + authtest.Sign(t, jose.RS256, other, "unknown", claims), "invalid_token", notValid},
		"Tampered":        {"Bearer " + parts[0] + "." + encode([]byte(`{"iss":"`+b.issuer.URL+`","aud":"booking","sub":"bob","exp":9999999999}`)) + "." + parts[2], "invalid_token", notValid},
		"None":            {"Bearer " + encode([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", "invalid_token", notValid},
		"NoneSigned":      {"Bearer " + encode([]byte(`{"alg":"none","kid":"2"}`)) + "." + parts[1] + "." + parts[2], "invalid_token", notValid},
		"SharedSecret":    {"Bearer " + authtest.Sign(t, jose.HS256, publicPEM(t, b.issuer), "2", claims), "invalid_token", notValid},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, b.send(test.authorization), test.code, test.words)
		})
	}
	t.Run("NoHeader", func(t *testing.T) { refused(t, b.send(), "", "needs a token") })
	t.Run("TwoHeaders", func(t *testing.T) {
		refused(t, b.send("Bearer "+good, "Bearer "+good), "invalid_request", "more than one")
	})
	for name, subject := range map[string]any{
		"Spaces": "ann smith", "NotASCII": "Zoë", "TooLong": strings.Repeat("x", 129), "Empty": "", "Missing": nil,
	} {
		t.Run("SubjectIsNotAUserID/"+name, func(t *testing.T) {
			rec := b.send("Bearer " + b.sign(t, "", map[string]any{"sub": subject}))
			require.Equal(t, http.StatusForbidden, rec.Code)
			require.Contains(t, rec.Body.String(), "The subject of your token can't be a user_id: that must be 1 to 128 printable ASCII characters without spaces.")
			require.Contains(t, rec.Body.String(), `"code":"forbidden"`)
		})
	}
}

func TestBuyers_RefusesTokensOfOtherPurposes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const words = "Send the access token or the ID token"
	logout := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	for name, test := range map[string]struct {
		typ    any
		events any
	}{
		"LogoutToken":              {"logout+jwt", logout},
		"LogoutTokenWithoutType":   {nil, logout},
		"LogoutTokenOfTypeJWT":     {"JWT", logout},
		"LogoutTypeAlone":          {"logout+jwt", nil},
		"LogoutTypeInFull":         {"Application/Logout+JWT", nil},
		"SecurityEvent":            {"secevent+jwt", nil},
		"SecurityEventWithoutType": {nil, map[string]any{"https://schemas.openid.net/secevent/risc/event-type/account-disabled": map[string]any{}}},
		"EmptyEvents":              {"at+jwt", map[string]any{}},
		"Introspection":            {"token-introspection+jwt", nil},
		"OtherMediaType":           {"text/at+jwt", nil},
		"EmptyType":                {"", nil},
		"TypeIsNotAString":         {1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			claims := b.issuer.Claims("ann", b.clock.Now(), map[string]any{"events": test.events})
			refused(t, b.send("Bearer "+b.issuer.SignType(t, test.typ, claims)), "invalid_token", words)
		})
	}
}

func TestBuyers_AcceptsAccessTokensAndIDTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, typ := range []any{nil, "JWT", "jwt", "application/jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT"} {
		accepted(t, b.send("Bearer "+b.issuer.SignType(t, typ, b.issuer.Claims("ann", b.clock.Now(), nil))))
	}
	idToken := map[string]any{"nonce": "n-0S6_WzA2Mj", "azp": authtest.Audience, "at_hash": "MTIzNDU2Nzg5MDEyMzQ1Ng"}
	accepted(t, b.send("Bearer "+b.sign(t, "ann", idToken)))
}

// publicPEM returns the published key as text. A verifier that trusts the token's alg would
// use it as the secret of HS256.
func publicPEM(t *testing.T, issuer *authtest.Issuer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(issuer.Public())
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
