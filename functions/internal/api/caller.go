package api

import (
	"context"
	"net/http"

	"booking/seatlock"
)

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

// CheckChannel returns a *Problem if the caller may not reserve the seats of a channel.
func CheckChannel(r *http.Request, channel string) error {
	if channel != "" && !CallerOf(r.Context()).Seller {
		return NewProblem(CodeForbidden, "Only a seller may reserve seats of a channel; omit channel.")
	}
	return nil
}

// UserOf returns the user that r names, or, if named is nil, the only user that the caller acts for.
// example says what to send. The error is a *Problem.
func UserOf(r *http.Request, named *string, example string) (string, error) {
	return userOf(named, CallerOf(r.Context()).User, example)
}

// userOf returns the user that a call names, nil if it names none. own is the only user that the
// caller acts for; empty: the caller acts for any.
func userOf(named *string, own, example string) (string, error) {
	switch {
	case named == nil && own == "":
		return "", Invalid("user_id is missing; %s.", example)
	case named == nil:
		return own, nil
	case !seatlock.ValidUser(*named):
		return "", Invalid("user_id %s.", UserForm)
	case own != "" && *named != own:
		return "", NewProblem(CodeForbidden, "user_id is not the subject of your token; omit it, or send a token of that user.")
	}
	return *named, nil
}
