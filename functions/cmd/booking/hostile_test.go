package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/httpserver/httpservertest"
)

const (
	post1A = "POST /reserve HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	getOne = "GET /seats/1A HTTP/1.1\r\nHost: x\r\n\r\n"
)

func TestBooking_RefusesTrickledBody(t *testing.T) {
	t.Parallel()
	inMemory(t, func(t *testing.T, s *httpservertest.Server) {
		c := s.Dial(t)
		c.Trickle(post1A + "Content-Length: 1000\r\n\r\n{")
		resp, body := c.Response(t, http.MethodPost)
		require.Equal(t, http.StatusUnprocessableEntity, resp.StatusCode)
		require.Contains(t, body, "The body did not arrive whole")
		require.Equal(t, 10*time.Second, time.Since(c.Opened))
		require.True(t, resp.Close)
	})
}

func TestBooking_RefusesEndlessBody(t *testing.T) {
	t.Parallel()
	t.Run("Chunks", func(t *testing.T) {
		t.Parallel()
		inMemory(t, func(t *testing.T, s *httpservertest.Server) {
			c := s.Dial(t)
			sent := c.SendEndlessly(post1A+"Transfer-Encoding: chunked\r\n\r\n", "100\r\n"+strings.Repeat(" ", 256)+"\r\n")
			resp, body := c.Response(t, http.MethodPost)
			require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
			require.Contains(t, body, `"code":"too_large"`)
			require.True(t, resp.Close)
			_, err := io.Copy(io.Discard, c.Responses)
			require.NoError(t, err)
			require.Less(t, <-sent, 300<<10, "more than the body's limit and what net/http discards to keep a connection")
		})
	})
	t.Run("ChunksOfOneByte", func(t *testing.T) {
		t.Parallel()
		inMemory(t, func(t *testing.T, s *httpservertest.Server) {
			c := s.Dial(t)
			sent := c.SendEndlessly(post1A+"Transfer-Encoding: chunked\r\n\r\n", "1;"+strings.Repeat("x", 1000)+"\r\n \r\n")
			resp, _ := c.Response(t, http.MethodPost)
			require.Equal(t, http.StatusUnprocessableEntity, resp.StatusCode)
			_, err := io.Copy(io.Discard, c.Responses)
			require.NoError(t, err)
			require.Less(t, <-sent, 64<<10)
		})
	})
}

// Each case is what a client sends, and the statuses of all responses before the server
// closes the connection, or else the client does.
func TestBooking_RespondsToMalformedRequests(t *testing.T) {
	t.Parallel()
	const body = `{"seat_id":"1A","user_id":"ann"}` // 32 bytes
	for name, test := range map[string]struct {
		sent string
		want []int  // statuses
		text string // in the last response
	}{
		"Garbage":                     {"\x16\x03\x01\x02\x00\x01\r\n\r\n", []int{400}, ""},
		"PipelinedGarbage":            {getOne + getOne + "\x00garbage\r\n\r\n" + getOne, []int{200, 200, 400}, ""},
		"HTTP2":                       {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{404}, "not_found"},
		"HTTP09":                      {"GET /seats/1A\r\n\r\n", []int{400}, ""},
		"HTTP10":                      {"GET /seats/1A HTTP/1.0\r\n\r\n" + getOne, []int{200}, "Available"},
		"HTTP10KeepAlive":             {"GET /seats/1A HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + getOne, []int{200, 200}, ""},
		"NoHost":                      {"GET /seats/1A HTTP/1.1\r\n\r\n", []int{400}, ""},
		"TwoHosts":                    {"GET /seats/1A HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", []int{400}, ""},
		"HostWithPath":                {"GET /seats/1A HTTP/1.1\r\nHost: x/y\r\n\r\n", []int{400}, ""},
		"TwoLengths":                  {post1A + "Content-Length: 32\r\nContent-Length: 0\r\n\r\n" + body, []int{400}, ""},
		"LengthAndChunks":             {post1A + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n" + body + "\r\n0\r\n\r\n" + getOne, []int{200}, "reserved"},
		"UnsupportedTransferEncoding": {post1A + "Transfer-Encoding: gzip, chunked\r\n\r\n20\r\n" + body + "\r\n0\r\n\r\n", []int{501}, ""},
		"TwoTransferEncodings":        {post1A + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + body, []int{501}, ""},
		"NegativeLength":              {post1A + "Content-Length: -1\r\n\r\n", []int{400}, ""},
		"SpaceBeforeColon":            {post1A + "Content-Length : 32\r\n\r\n" + body, []int{400}, ""},
		"TwoContentTypes":             {post1A + "Content-Type: text/plain\r\nContent-Length: 32\r\n\r\n" + body, []int{415}, "more than one"},
		"BodyLongerThanLength":        {post1A + "Content-Length: 20\r\n\r\n" + body, []int{422, 400}, ""},
		"Expect100":                   {post1A + "Content-Length: 32\r\nExpect: 100-continue\r\n\r\n" + body, []int{100, 200}, "reserved"},
		"UnknownExpectation":          {post1A + "Content-Length: 32\r\nExpect: miracles\r\n\r\n" + body, []int{417}, ""},
		"BodyOnGet":                   {"GET /seats/1A HTTP/1.1\r\nHost: x\r\nContent-Length: 32\r\n\r\n" + body + getOne, []int{200, 200}, "Available"},
		"AbsoluteTarget":              {"GET http://elsewhere/seats/1A HTTP/1.1\r\nHost: x\r\n\r\n", []int{200}, "Available"},
		"AuthorityTarget":             {"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n", []int{404}, "not_found"},
		"AsteriskTarget":              {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", []int{404}, "not_found"},
		"Trace":                       {"TRACE /seats/1A HTTP/1.1\r\nHost: x\r\nX-Secret: s\r\n\r\n", []int{405}, "method_not_allowed"},
		"UnknownMethod":               {"SEAT /seats/1A HTTP/1.1\r\nHost: x\r\n\r\n", []int{405}, "method_not_allowed"},
		"InvalidMethod":               {"G(T /seats/1A HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}, ""},
		"NulInPath":                   {"GET /seats/1\x00A HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}, ""},
		"EscapedNul":                  {"GET /seats/1%00A HTTP/1.1\r\nHost: x\r\n\r\n", []int{422}, "seat_id"},
		"EscapedLineEnd":              {"GET /seats/1A%0d%0aX:%20y HTTP/1.1\r\nHost: x\r\n\r\n", []int{422}, "seat_id"},
		"EscapedSlash":                {"GET /seats/1%2FA HTTP/1.1\r\nHost: x\r\n\r\n", []int{422}, "seat_id"},
		"DotDot":                      {"GET /seats/../docs HTTP/1.1\r\nHost: x\r\n\r\n", []int{404}, "not_found"},
		"EscapedDots":                 {"GET /seats/%2e%2e/docs HTTP/1.1\r\nHost: x\r\n\r\n", []int{404}, "not_found"},
		"LongPath":                    {"GET /seats/" + strings.Repeat("x", 8<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", []int{422}, "seat_id"},
		"TooLongPath":                 {"GET /seats/" + strings.Repeat("x", 32<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", []int{431}, ""},
		"LargeHeader":                 {"GET / HTTP/1.1\r\nHost: x\r\nX-Huge: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", []int{431}, ""},
		"ThousandsOfHeaders":          {"GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: y\r\n", 8<<10) + "\r\n", []int{431}, ""},
		"LineEndInHeader":             {"GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", []int{400}, ""},
		"RequestWithinBody":           {post1A + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body+getOne)) + body + getOne, []int{422}, "one JSON value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inMemory(t, func(t *testing.T, s *httpservertest.Server) {
				c := s.Dial(t)
				c.Send(test.sent)
				method, _, _ := strings.Cut(test.sent, " ")
				for i, want := range test.want {
					resp, body := c.Response(t, method)
					require.Equal(t, want, resp.StatusCode, body)
					if i == len(test.want)-1 {
						require.Contains(t, body, test.text)
					}
					// A response that net/http makes itself is a line of text without these headers.
					if _, own := resp.Header["Cache-Control"]; own {
						require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
						require.NotEmpty(t, resp.Header.Get("Content-Security-Policy"))
					}
				}
				time.AfterFunc(time.Second, func() { _ = c.Close() })
				rest, _ := io.ReadAll(c.Responses)
				require.Empty(t, string(rest))
			})
		})
	}
}
