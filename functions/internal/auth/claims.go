package auth

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

// claims are the claims of a token, by name.
type claims map[string]json.RawMessage

// claimsOf returns the claims of a verified token. The error is errTokenType if it has
// events.
func claimsOf(token *oidc.IDToken) (claims, error) {
	var c claims
	if err := token.Claims(&c); err != nil {
		return nil, err
	}
	if _, ok := c["events"]; ok {
		return nil, errTokenType
	}
	return c, nil
}

// haveScope reports whether the token was granted scope. The claim scope is a string of
// scopes with spaces in between (https://www.rfc-editor.org/rfc/rfc8693#section-4.2). Some
// issuers write scp instead, as such a string or as a list. No token has the empty scope.
func (c claims) haveScope(scope string) bool {
	if scope == "" {
		return false
	}
	var text string
	for _, name := range []string{"scope", "scp"} {
		if json.Unmarshal(c[name], &text) == nil && slices.Contains(strings.Fields(text), scope) {
			return true
		}
	}
	var list []string
	return json.Unmarshal(c["scp"], &list) == nil && slices.Contains(list, scope)
}
