package auth

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// errOtherToken is the error for what an issuer signs and is no token to call with:
// logout tokens (https://openid.net/specs/openid-connect-backchannel-1_0.html#LogoutToken)
// and other security events (https://www.rfc-editor.org/rfc/rfc8417), answers to
// token introspection (https://www.rfc-editor.org/rfc/rfc9701), and what comes later.
// All have a type of their own (https://www.rfc-editor.org/rfc/rfc8725#section-3.11);
// logout tokens of older issuers have only the events.
//
// ID tokens are accepted. They have no type of their own.
var errOtherToken = errors.New("auth: the token is not one to call with")

// refuseType returns errOtherToken if the token has a type other than JWT, or at+jwt
// (https://www.rfc-editor.org/rfc/rfc9068#section-2.1). A type is a media type in any
// case, and application/ may be left out (https://www.rfc-editor.org/rfc/rfc7515#section-4.1.9).
func refuseType(token *jose.JSONWebSignature) error {
	header, ok := token.Signatures[0].Header.ExtraHeaders[jose.HeaderType]
	if !ok {
		return nil
	}
	typ, _ := header.(string)
	switch strings.TrimPrefix(strings.ToLower(typ), "application/") {
	case "jwt", "at+jwt":
		return nil
	}
	return errOtherToken
}

// refuseEvents returns errOtherToken if the token tells of events.
func refuseEvents(token *oidc.IDToken) error {
	var claims map[string]json.RawMessage
	if err := token.Claims(&claims); err != nil {
		return err
	}
	if _, ok := claims["events"]; ok {
		return errOtherToken
	}
	return nil
}
