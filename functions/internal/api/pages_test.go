package api

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// servePages serves what next makes.
func servePages(t *testing.T, next func(page *bytes.Buffer) (more bool, err error)) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		return WritePages(w, r, "text/plain", next)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestWritePages_SendsPageBeforeTheNextIsMade(t *testing.T) {
	t.Parallel()
	received := make(chan struct{})
	pages := 0
	server := servePages(t, func(page *bytes.Buffer) (bool, error) {
		pages++
		if pages > 1 {
			<-received
		}
		if pages != 2 { // a page may be empty
			page.WriteString("x\n")
		}
		return pages < 3, nil
	})
	resp, err := http.Get(server.URL)
	require.NoError(t, err)
	body := bufio.NewReader(resp.Body)
	line, err := body.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "x\n", line)
	close(received)
	line, err = body.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "x\n", line)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 3, pages)
}

func TestWritePages_MakesOnePageForHEAD(t *testing.T) {
	t.Parallel()
	pages := 0
	server := servePages(t, func(*bytes.Buffer) (bool, error) {
		pages++
		return true, nil
	})
	resp, err := http.Head(server.URL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, 1, pages)
}
