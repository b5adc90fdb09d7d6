package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/rush/internal/client"
	"booking/seatlock/oracle"
)

func TestRush_RefusesBadFlagsInOneSentence(t *testing.T) {
	t.Parallel()
	full := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"event_id":"gala","seats":[{"seat_id":"1A","status":"Sold"}]}`)
	}))
	t.Cleanup(full.Close)
	otherPlan := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/seats" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, `{"event_id":"gala","seats":[]}`)
	}))
	t.Cleanup(otherPlan.Close)
	refusesPut := func(status int, code string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				w.WriteHeader(status)
				fmt.Fprintf(w, `{"code":%q}`, code)
				return
			}
			fmt.Fprint(w, `{"event_id":"gala","seats":[]}`)
		}))
		t.Cleanup(s.Close)
		return s
	}
	publicRoute := refusesPut(http.StatusNotFound, "not_found")
	exists, sellers := refusesPut(http.StatusPreconditionFailed, "precondition_failed"), refusesPut(http.StatusUnauthorized, "unauthenticated")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-seat", "5"}, "flag provided but not defined: -seat; rush -help lists the flags"},
		{[]string{"-users", "many"}, `invalid value "many" for flag -users`},
		{[]string{"http://localhost:8080"}, `"http://localhost:8080" is not a flag`},
		{[]string{"-users", "0"}, "-users is 0: want a number from 1 to 200000"},
		{[]string{"-seats", "-3"}, "-seats is -3: want a number from 1 to 100000"},
		{[]string{"-seats", "4"}, "-max-group is 6, but there are 4 seats: lower -max-group or add seats"},
		{[]string{"-seats", "4", "-plan", "1:A-D"}, "-seats and -plan exclude each other"},
		{[]string{"-plan", "1-0:A"}, "-plan has a fault at character 1"},
		{[]string{"-zipf", "1"}, "-zipf is 1: want a number from 1.01 to 10"},
		{[]string{"-groups", "1.5"}, "-groups is 1.5: want a number from 0 to 1"},
		{[]string{"-double-pay", "2"}, "-double-pay is 2: want a number from 0 to 1"},
		{[]string{"-return", "-1"}, "-return is -1: want a number from 0 to 1"},
		{[]string{"-exchange", "2"}, "-exchange is 2: want a number from 0 to 1"},
		{[]string{"-groups", "NaN"}, "-groups is NaN: want a number from 0 to 1"},
		{[]string{"-abandon", "0.6", "-hoard", "0.6"}, "add up to 1.27: want at most 1"},
		{[]string{"-duration", "1ms"}, "-duration is 1ms: want a duration from 1s to 1h0m0s"},
		{[]string{"-hold", "10ms"}, "-hold is 10ms: want a duration from 1s to 15m"},
		{[]string{"-chaos", "fire"}, `-chaos has "fire": want kill, stall or flush, comma-separated`},
		{[]string{"-chaos", "kill", "-url", "http://localhost:1"}, "-chaos applies only to a service that rush starts"},
		{[]string{"-url", "localhost:8080"}, `-url is "localhost:8080": want an address like http://localhost:8080`},
		{[]string{"-event", "a b"}, `-event is "a b"`},
		{[]string{"-url", full.URL}, "set -event to a new event"},
		{[]string{"-url", otherPlan.URL}, otherPlan.URL + " has no seat 1M: it has another seat plan; set -plan to its SEAT_PLAN, or add -put"},
		{[]string{"-put"}, "-put applies only to a service that you run; leave out -put, or set -url"},
		{[]string{"-seller-token", "secret"}, "-seller-token applies only to a service that you run"},
		{[]string{"-url", full.URL, "-seller-token", "a b"}, "-seller-token has a space or a character that is not ASCII: want the token alone"},
		{[]string{"-url", full.URL, "-blocked", "0.1"}, "-blocked applies only to an event that rush puts; leave out -blocked, or add -put"},
		{[]string{"-url", full.URL, "-delete"}, "-delete applies only to an event that rush puts"},
		{[]string{"-url", full.URL, "-hold", "5s"}, "-hold applies only to an event that rush puts"},
		{[]string{"-on-sale-after", "31s"}, "-on-sale-after is 31s: want a duration from 0s to 30s"},
		{[]string{"-on-sale-after", "-1s"}, "-on-sale-after is -1s: want a duration from 0s to 30s"},
		{[]string{"-url", full.URL, "-area", "5"}, "-area applies only to an event that rush puts; leave out -area, or add -put"},
		{[]string{"-area", "-1"}, "-area is -1: want a number from 0 to 99999"},
		{[]string{"-seats", "99990", "-area", "20"}, "-area is 20, and there are 99990 seats: want at most 100000 together"},
		{[]string{"-blocked", "1.5"}, "-blocked is 1.5: want a number from 0 to 1"},
		{[]string{"-blocked", "1"}, "-blocked is 1, so no seat is left to sell: lower -blocked or add seats"},
		{[]string{"-seats", "8", "-blocked", "0.4"}, "-max-group is 6, but 4 of the 8 seats are blocked: lower -max-group or -blocked, or add seats"},
		{[]string{"-url", full.URL, "-put"}, "set -event to a new event"},
		{[]string{"-url", exists.URL, "-put", "-event", "gala"}, exists.URL + " does not accept the event: PUT /events/gala returns 412 Precondition Failed (precondition_failed); set -event to a new event"},
		{[]string{"-url", sellers.URL, "-put", "-event", "gala"}, "PUT /events/gala returns 401 Unauthorized (unauthenticated); set -seller-token to the token of a seller, and -buyer-tokens if buyers need tokens"},
		{[]string{"-url", publicRoute.URL, "-put", "-event", "gala"}, "PUT /events/gala returns 404 Not Found (not_found); put the event at an address that takes PUT, and leave out -put"},
		{[]string{"-url", exists.URL, "-buyer-tokens", "tokens"}, "-buyer-tokens needs a seller, because buyers with tokens can't buy: set -seller-token or SELLER_TOKEN"},
		{[]string{"-url", exists.URL, "-seller-token", "s", "-buyer-tokens", "missing"}, "-buyer-tokens can't be read: open missing: no such file or directory"},
		{[]string{"-url", exists.URL, "-seller-token", "s", "-buyer-tokens", tokenFile(t, "ann", "bob")}, " has 2 tokens, and -users is 5000, so 5000 are needed: add tokens, or lower -users"},
		{[]string{"-url", exists.URL, "-seller-token", "s", "-buyer-tokens", tokenFile(t, "ann", "")}, "line 2 of "},
		{[]string{"-url", exists.URL, "-seller-token", "s", "-buyer-tokens", tokenFile(t, "ann", "a b")}, " is not a JWT whose sub is a user_id: want one token a line"},
		{[]string{"-url", exists.URL, "-seller-token", "s", "-buyer-tokens", tokenFile(t, "ann", "bob", "ann")}, " has the sub of an earlier line: want a token for each of the buyers"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := rush(t.Context(), c.args...)
			require.Equal(t, statusUsage, status)
			require.Empty(t, stdout)
			require.Contains(t, stderr, c.want)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		})
	}
}

func TestCheckTarget_NamesCauseAndFix(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc // nil if nothing listens
		path   string           // in -url
		want   string
	}{
		{"Down", nil, "", `connection refused; start the service there, or set -url to another address`},
		{"APathOfTheService", http.NotFound, "/docs",
			"/docs returns no seat map: GET /seats returns 404 Not Found; set -url to the address that has the path /seats, like http://localhost:8080"},
		{"Unavailable", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "",
			"GET /seats returns 503 Service Unavailable; run rush again when its /readyz returns 200"},
		{"Redirected", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://tickets.example.com/seats", http.StatusFound)
		}, "",
			"GET /seats returns 302 Found to https://tickets.example.com/seats; set -url to the address that it redirects to"},
		{"AnotherSite", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html>") }, "",
			"the answer to GET /seats is not a seat map: invalid character '<' looking for beginning of value; set -url to the address that has the path /seats"},
		{"CutOff", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "10") }, "",
			"the answer to GET /seats breaks off: unexpected EOF; run rush again"},
		{"SeatUnavailable", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/seats" {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			fmt.Fprint(w, `{"seats":[]}`)
		}, "", "does not return seat 1M: GET /seats/1M returns 503 Service Unavailable; run rush again when its /readyz returns 200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.answer)
			t.Cleanup(server.Close)
			if c.answer == nil {
				server.Close()
			}
			status, stdout, stderr := rush(t.Context(), "-url", server.URL+c.path)
			require.Equal(t, statusUsage, status)
			require.Empty(t, stdout)
			require.Contains(t, stderr, c.want)
			require.NotContains(t, stderr, "%!")
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		})
	}
}

func TestRush_NeedsAURLInAPod(t *testing.T) {
	t.Parallel()
	for _, set := range []string{"KUBERNETES_SERVICE_HOST", "K_SERVICE"} {
		var stdout, stderr bytes.Buffer
		env := func(name string) string { return map[string]string{set: "10.0.0.1"}[name] }
		require.Equal(t, statusUsage, realMain(t.Context(), nil, env, &stdout, &stderr))
		require.Equal(t, "rush: -url is missing: in a pod, rush does not start a service; set -url to the service's address\n", stderr.String())
	}
}

func TestRush_ExplainsFlagsAndAnswers(t *testing.T) {
	t.Parallel()
	status, stdout, _ := rush(t.Context(), "-help")
	require.Equal(t, statusKept, status)
	require.Contains(t, stdout, "-users")
	for _, answer := range []oracle.Outcome{oracle.Done, oracle.Refused, oracle.NotRun, oracle.Unknown, client.Unexpected} {
		require.Regexp(t, `(?m)^  `+string(answer)+`: `, stdout)
	}
}

// A service that rush did not start may accept returns and exchanges of sellers only.
func TestParse_ReturnsSeatsAsASeller(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args           []string
		want, exchange float64
	}{
		{nil, 0.05, 0.03},
		{[]string{"-url", "http://localhost:1"}, 0, 0},
		{[]string{"-url", "http://localhost:1", "-put"}, 0.05, 0.03},
		{[]string{"-url", "http://localhost:1", "-seller-token", "secret"}, 0.05, 0.03},
		{[]string{"-url", "http://localhost:1", "-return", "0.2"}, 0.2, 0},
		{[]string{"-url", "http://localhost:1", "-exchange", "0.2"}, 0, 0.2},
	} {
		o, err := parse(c.args, func(string) string { return "" }, io.Discard)
		require.NoError(t, err)
		require.InDelta(t, c.want, o.buyers.Return, 0, "%v", c.args)
		require.InDelta(t, c.exchange, o.buyers.Exchange, 0, "%v", c.args)
	}
}
