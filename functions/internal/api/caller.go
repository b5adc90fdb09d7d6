package api

import "context"

// Caller says who makes a call, as far as the service knows.
type Caller struct {
	User   string // the subject of a buyer's token, the only user that it may name; empty: the caller names any user
	Seller bool   // whether it may sell, and do what only sellers may
}

type callerKey struct{}

// WithCaller returns the context of a request that the caller sent.
func WithCaller(ctx context.Context, caller Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// CallerOf returns the caller of WithCaller. Without one, the service trusts every caller to
// be a seller that names any user.
func CallerOf(ctx context.Context) Caller {
	if caller, ok := ctx.Value(callerKey{}).(Caller); ok {
		return caller
	}
	return Caller{Seller: true}
}
