package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"

	"booking/seatlock"
)

// readTokens sets the tokens: the buyers' from the file at path, if it is not empty, and by
// default the seller's from the environment. Its errors show no token.
func (o *options) readTokens(path string, env func(string) string) error {
	if o.url == "" {
		return nil
	}
	if o.tokens.Seller == "" {
		o.tokens.Seller = strings.TrimSpace(env("SELLER_TOKEN"))
	}
	if strings.ContainsFunc(o.tokens.Seller, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return usageErrorf("-seller-token has a space or a character that is not ASCII: want the token alone")
	}
	if path == "" {
		return nil
	}
	if o.tokens.Seller == "" {
		return usageErrorf("-buyer-tokens needs a seller, because buyers with tokens can't buy: set -seller-token or SELLER_TOKEN")
	}
	file, err := os.Open(path)
	if err != nil {
		return usageErrorf("-buyer-tokens can't be read: %v", err)
	}
	defer func() { _ = file.Close() }()
	o.tokens.Buyers = map[string]string{}
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		token := strings.TrimSpace(lines.Text())
		if token == "" {
			continue
		}
		user, ok := subjectOf(token)
		switch _, known := o.tokens.Buyers[user]; {
		case !ok:
			return usageErrorf("-buyer-tokens: line %d of %s is not a JWT whose sub is a user_id: want one token a line", n, path)
		case known:
			return usageErrorf("-buyer-tokens: line %d of %s has the sub of an earlier line: want a token for each of the buyers", n, path)
		}
		o.tokens.Buyers[user] = token
		o.buyers.UserIDs = append(o.buyers.UserIDs, user)
	}
	if err := lines.Err(); err != nil {
		return usageErrorf("-buyer-tokens: %s can't be read: %v", path, err)
	}
	if n := len(o.buyers.UserIDs); n < o.buyers.Users {
		return usageErrorf("-buyer-tokens: %s has %d tokens, and -users is %d, so %d are needed: add tokens, or lower -users", path, n, o.buyers.Users, o.buyers.Users)
	}
	return nil
}

// subjectOf returns the subject of a JWT, unverified, and whether it can be a user_id.
func subjectOf(token string) (user string, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", false
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", false
	}
	return claims.Subject, seatlock.ValidUser(claims.Subject)
}
