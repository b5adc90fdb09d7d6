package auth

import (
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// errTokenType is the error for tokens that the issuer signs for another purpose: logout
// tokens (https://openid.net/specs/openid-connect-backchannel-1_0.html#LogoutToken), other
// security events (https://www.rfc-editor.org/rfc/rfc8417) and introspection responses
// (https://www.rfc-editor.org/rfc/rfc9701). Each has a type
// (https://www.rfc-editor.org/rfc/rfc8725#section-3.11), but logout tokens of older issuers
// have only events. ID tokens have no type, and are accepted.
var errTokenType = errors.New("auth: the token has another purpose")

// checkType returns errTokenType if the token has a type other than JWT and at+jwt
// (https://www.rfc-editor.org/rfc/rfc9068#section-2.1). A type is a media type, its case
// does not matter, and it may omit application/
// (https://www.rfc-editor.org/rfc/rfc7515#section-4.1.9).
func checkType(token *jose.JSONWebSignature) error {
	header, ok := token.Signatures[0].Header.ExtraHeaders[jose.HeaderType]
	if !ok {
		return nil
	}
	typ, _ := header.(string)
	switch strings.TrimPrefix(strings.ToLower(typ), "application/") {
	case "jwt", "at+jwt":
		return nil
	}
	return errTokenType
}
