package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	post1A = "POST /reserve HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	getOne = "GET /seats/1A HTTP/1.1\r\nHost: x\r\n\r\n"
)

func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	t.Run("ThatSendNothing", func(t *testing.T) {
		t.Parallel()
		inMemory(t, func(t *testing.T, m *memoryServer) {
			m.dial(t).closedAfter(t, 5*time.Second)
		})
	})
	t.Run("ThatTrickleAHeader", func(t *testing.T) {
		t.Parallel()
		inMemory(t, func(t *testing.T, m *memoryServer) {
			c := m.dial(t)
			c.trickle(post1A + "X-Slow: ")
			c.closedAfter(t, 5*time.Second)
		})
	})
	t.Run("ThatTrickleABody", func(t *testing.T) {
		t.Parallel()
		inMemory(t, func(t *testing.T, m *memoryServer) {
			c := m.dial(t)
			c.trickle(post1A + "Content-Length: 1000\r\n\r\n{")
			resp, body := c.answer(t, http.MethodPost)
			require.Equal(t, http.StatusUnprocessableEntity, resp.StatusCode)
			require.Contains(t, body, "The body did not arrive whole")
			require.Equal(t, 10*time.Second, time.Since(c.since))
			require.True(t, resp.Close)
		})
	})
	t.Run("ThatTrickleTheirSecondHeader", func(t *testing.T) {
		t.Parallel()
		inMemory(t, func(t *testing.T, m *memoryServer) {
			c := m.dial(t)
			c.send(getOne)
			c.answer(t, http.MethodGet)
			c.trickle("GET / HTTP/1.1\r\nX-Slow: ")
			c.closedAfter(t, 5*time.Second)
		})
	})
	t.Run("ThatAreIdle", func(t *testing.T) {
		t.Parallel()
		inMemory(t, func(t *testing.T, m *memoryServer) {
			c := m.dial(t)
			c.send(getOne)
			c.answer(t, http.MethodGet)
			c.closedAfter(t, 2*time.Minute)
		})
	})
	t.Run("ThatDoNotReadTheirAnswer", func(t *testing.T) {
		t.Parallel()
		inMemory(t, func(t *testing.T, m *memoryServer) {
			c := m.dial(t)
			c.send("GET /seats HTTP/1.1\r\nHost: x\r\n\r\n")
			time.Sleep(22*time.Second + time.Millisecond)
			_, err := http.ReadResponse(c.answers, nil)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "the answer is still there")
		})
	})
}

// Whoever comes when there are enough waits until one leaves.
func TestConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	inMemory(t, func(t *testing.T, m *memoryServer) {
		start := time.Now()
		for range maxConnections {
			m.dial(t)
		}
		c := m.dial(t)
		require.Equal(t, headerTimeout, time.Since(start))
		c.send(getOne)
		resp, _ := c.answer(t, http.MethodGet)
		require.Equal(t, http.StatusOK, resp.StatusCode)
	})
}

func TestBodiesAndHeadersWithoutEnd(t *testing.T) {
	t.Parallel()
	// forever sends until it is cut off, and then tells how much that was.
	forever := func(c *client, head, piece string) <-chan int {
		sent := make(chan int, 1)
		go func() {
			total, err := io.WriteString(c, head)
			for err == nil {
				var n int
				n, err = io.WriteString(c, piece)
				total += n
			}
			sent <- total
		}()
		return sent
	}
	t.Run("Chunks", func(t *testing.T) {
		t.Parallel()
		inMemory(t, func(t *testing.T, m *memoryServer) {
			c := m.dial(t)
			sent := forever(c, post1A+"Transfer-Encoding: chunked\r\n\r\n", "100\r\n"+strings.Repeat(" ", 256)+"\r\n")
			resp, body := c.answer(t, http.MethodPost)
			require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
			require.Contains(t, body, `"code":"too_large"`)
			require.True(t, resp.Close)
			_, err := io.Copy(io.Discard, c.answers)
			require.NoError(t, err)
			require.Less(t, <-sent, 300<<10, "more than the body's limit, and what net/http drops to keep a connection")
		})
	})
	t.Run("ChunksOfOneByte", func(t *testing.T) {
		t.Parallel()
		inMemory(t, func(t *testing.T, m *memoryServer) {
			c := m.dial(t)
			sent := forever(c, post1A+"Transfer-Encoding: chunked\r\n\r\n", "1;"+strings.Repeat("x", 1000)+"\r\n \r\n")
			resp, _ := c.answer(t, http.MethodPost)
			require.Equal(t, http.StatusUnprocessableEntity, resp.StatusCode)
			_, err := io.Copy(io.Discard, c.answers)
			require.NoError(t, err)
			require.Less(t, <-sent, 64<<10)
		})
	})
	t.Run("Headers", func(t *testing.T) {
		t.Parallel()
		inMemory(t, func(t *testing.T, m *memoryServer) {
			c := m.dial(t)
			sent := forever(c, post1A, "X-More: "+strings.Repeat("x", 100)+"\r\n")
			resp, _ := c.answer(t, http.MethodPost)
			require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)
			_, err := io.Copy(io.Discard, c.answers)
			require.NoError(t, err)
			require.Less(t, <-sent, 32<<10)
		})
	})
}

// What a connection is sent, and the statuses of all the answers before it is closed,
// by the server or else by the client.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	const body = `{"seat_id":"1A","user_id":"ann"}` // of 32 bytes
	for name, test := range map[string]struct {
		sent  string
		want  []int
		words string // in the last answer
	}{
		"Garbage":                 {"\x16\x03\x01\x02\x00\x01\r\n\r\n", []int{400}, ""},
		"GarbageInThePipeline":    {getOne + getOne + "\x00garbage\r\n\r\n" + getOne, []int{200, 200, 400}, ""},
		"HTTP2":                   {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{404}, "not_found"},
		"HTTP09":                  {"GET /seats/1A\r\n\r\n", []int{400}, ""},
		"HTTP10":                  {"GET /seats/1A HTTP/1.0\r\n\r\n" + getOne, []int{200}, "Available"},
		"HTTP10KeepAlive":         {"GET /seats/1A HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + getOne, []int{200, 200}, ""},
		"NoHost":                  {"GET /seats/1A HTTP/1.1\r\n\r\n", []int{400}, ""},
		"TwoHosts":                {"GET /seats/1A HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", []int{400}, ""},
		"HostWithAPath":           {"GET /seats/1A HTTP/1.1\r\nHost: x/y\r\n\r\n", []int{400}, ""},
		"TwoLengths":              {post1A + "Content-Length: 32\r\nContent-Length: 0\r\n\r\n" + body, []int{400}, ""},
		"LengthAndChunks":         {post1A + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n" + body + "\r\n0\r\n\r\n" + getOne, []int{200}, "reserved"},
		"OtherTransferEncoding":   {post1A + "Transfer-Encoding: gzip, chunked\r\n\r\n20\r\n" + body + "\r\n0\r\n\r\n", []int{501}, ""},
		"TwoTransferEncodings":    {post1A + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + body, []int{501}, ""},
		"NegativeLength":          {post1A + "Content-Length: -1\r\n\r\n", []int{400}, ""},
		"SpaceBeforeTheColon":     {post1A + "Content-Length : 32\r\n\r\n" + body, []int{400}, ""},
		"TwoContentTypes":         {post1A + "Content-Type: text/plain\r\nContent-Length: 32\r\n\r\n" + body, []int{415}, "more than one"},
		"ABodyShorterThanItsWord": {post1A + "Content-Length: 20\r\n\r\n" + body, []int{422, 400}, ""},
		"Expect100":               {post1A + "Content-Length: 32\r\nExpect: 100-continue\r\n\r\n" + body, []int{100, 200}, "reserved"},
		"ExpectOther":             {post1A + "Content-Length: 32\r\nExpect: miracles\r\n\r\n" + body, []int{417}, ""},
		"ABodyOnGet":              {"GET /seats/1A HTTP/1.1\r\nHost: x\r\nContent-Length: 32\r\n\r\n" + body + getOne, []int{200, 200}, "Available"},
		"AbsoluteTarget":          {"GET http://elsewhere/seats/1A HTTP/1.1\r\nHost: x\r\n\r\n", []int{200}, "Available"},
		"AuthorityTarget":         {"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n", []int{404}, "not_found"},
		"AsteriskTarget":          {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", []int{404}, "not_found"},
		"Trace":                   {"TRACE /seats/1A HTTP/1.1\r\nHost: x\r\nX-Secret: s\r\n\r\n", []int{405}, "method_not_allowed"},
		"AMethodOfOurOwn":         {"SEAT /seats/1A HTTP/1.1\r\nHost: x\r\n\r\n", []int{405}, "method_not_allowed"},
		"AMethodOfNoLetters":      {"G(T /seats/1A HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}, ""},
		"ANulInThePath":           {"GET /seats/1\x00A HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}, ""},
		"AnEscapedNul":            {"GET /seats/1%00A HTTP/1.1\r\nHost: x\r\n\r\n", []int{422}, "seat_id"},
		"AnEscapedLineEnd":        {"GET /seats/1A%0d%0aX:%20y HTTP/1.1\r\nHost: x\r\n\r\n", []int{422}, "seat_id"},
		"AnEscapedSlash":          {"GET /seats/1%2FA HTTP/1.1\r\nHost: x\r\n\r\n", []int{422}, "seat_id"},
		"TwoDots":                 {"GET /seats/../docs HTTP/1.1\r\nHost: x\r\n\r\n", []int{404}, "not_found"},
		"TwoEscapedDots":          {"GET /seats/%2e%2e/docs HTTP/1.1\r\nHost: x\r\n\r\n", []int{404}, "not_found"},
		"ALongPath":               {"GET /seats/" + strings.Repeat("x", 8<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", []int{422}, "seat_id"},
		"ALongerPath":             {"GET /seats/" + strings.Repeat("x", 32<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", []int{431}, ""},
		"AHugeHeader":             {"GET / HTTP/1.1\r\nHost: x\r\nX-Huge: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", []int{431}, ""},
		"ThousandsOfHeaders":      {"GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: y\r\n", 8<<10) + "\r\n", []int{431}, ""},
		"ALineEndInAHeader":       {"GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", []int{400}, ""},
		"ARequestWithinARequest":  {post1A + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body+getOne)) + body + getOne, []int{422}, "one JSON value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inMemory(t, func(t *testing.T, m *memoryServer) {
				c := m.dial(t)
				c.send(test.sent)
				method, _, _ := strings.Cut(test.sent, " ")
				for i, want := range test.want {
					resp, body := c.answer(t, method)
					require.Equal(t, want, resp.StatusCode, body)
					if i == len(test.want)-1 {
						require.Contains(t, body, test.words)
					}
					// What net/http answers by itself is one line of text.
					if _, own := resp.Header["Cache-Control"]; own {
						require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
						require.NotEmpty(t, resp.Header.Get("Content-Security-Policy"))
					}
				}
				time.AfterFunc(time.Second, func() { _ = c.Close() })
				rest, _ := io.ReadAll(c.answers)
				require.Empty(t, string(rest))
			})
		})
	}
}
