package client

import "booking/seatlock/oracle"

// Tokens are what callers send as Authorization: Bearer. The zero value has none.
type Tokens struct {
	Seller string            // of the calls of sellers
	Buyers map[string]string // by user: of reserve, extend and release
}

// of returns the token of a call, "" if it needs none. Where buyers have tokens, a user
// without one is served by the seller.
func (t Tokens) of(op oracle.Op, user string) string {
	switch op {
	case oracle.Reserve, oracle.Extend, oracle.Release:
		if token, has := t.Buyers[user]; has || len(t.Buyers) == 0 {
			return token
		}
	}
	return t.Seller
}
