package sink_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"booking/functions/internal/sink"
)

// secret is that of the specification's example.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func newEvent(t *testing.T, id string) event.Event {
	t.Helper()
	e := event.New()
	e.SetID(id)
	e.SetSource("/booking/events/gala")
	e.SetType("booking.seats.held")
	require.NoError(t, e.SetData(event.ApplicationJSON, map[string]string{"event_id": "gala"}))
	return e
}

// request is what a sink received.
type request struct {
	header http.Header
	body   []byte
	http   *http.Request
}

// receive starts a sink that answers with a status, and returns its URL and its requests.
func receive(t *testing.T, answer http.HandlerFunc) (url string, requests chan request) {
	t.Helper()
	requests = make(chan request, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		requests <- request{r.Header, body, r}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

func noContent(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// The receiver of the SDK reads both content modes.
func TestSend_WritesCloudEvents(t *testing.T) {
	t.Parallel()
	for _, batched := range []bool{false, true} {
		url, requests := receive(t, noContent)
		s := sink.New(sink.Options{URL: url, Batched: batched, Version: "v7"})
		events := []event.Event{newEvent(t, "1-1")}
		if batched {
			events = append(events, newEvent(t, "1-2"))
		}
		require.NoError(t, s.Send(t.Context(), "r", events...))
		r := <-requests
		require.Equal(t, "booking/v7", r.header.Get("User-Agent"))
		require.Empty(t, r.header.Get("Webhook-Signature"))
		var received []event.Event
		if batched {
			require.Equal(t, event.ApplicationCloudEventsBatchJSON, r.header.Get("Content-Type"))
			var err error
			received, err = cehttp.NewEventsFromHTTPRequest(r.http)
			require.NoError(t, err)
		} else {
			one, err := cehttp.NewEventFromHTTPRequest(r.http)
			require.NoError(t, err)
			received = append(received, *one)
		}
		require.Len(t, received, len(events))
		for i := range events {
			require.Equal(t, events[i].String(), received[i].String())
		}
	}
}

// The library of Standard Webhooks is an implementation by others.
func TestSend_SignsAsStandardWebhooks(t *testing.T) {
	t.Parallel()
	url, requests := receive(t, noContent)
	key, err := sink.ParseSecret(secret)
	require.NoError(t, err)
	require.NoError(t, sink.New(sink.Options{URL: url, Secret: key}).Send(t.Context(), "gala:1-1", newEvent(t, "1-1")))
	r := <-requests
	verifier, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.Equal(t, "gala:1-1", r.header.Get("webhook-id"))
	require.NoError(t, verifier.Verify(r.body, r.header))
	require.Error(t, verifier.Verify(append(r.body, ' '), r.header))
	other, err := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 24)))
	require.NoError(t, err)
	require.Error(t, other.Verify(r.body, r.header))
}

func TestSend_TellsAnswersApart(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{200: nil, 202: nil, 204: nil, 299: nil, 410: sink.ErrGone} {
		url, _ := receive(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		require.ErrorIs(t, sink.New(sink.Options{URL: url}).Send(t.Context(), "r", newEvent(t, "1-1")), want, status)
	}
	for _, status := range []int{301, 308, 400, 401, 404, 408, 429, 500, 503} {
		url, _ := receive(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://"+r.Host+"/elsewhere")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
		})
		var failure *sink.StatusError
		require.ErrorAs(t, sink.New(sink.Options{URL: url}).Send(t.Context(), "r", newEvent(t, "1-1")), &failure)
		require.Equal(t, sink.StatusError{Status: status, RetryAfter: 7 * time.Second}, *failure)
	}
}

// An error of the connection does not show the URL, whose query may have a secret.
func TestSend_HidesURL(t *testing.T) {
	t.Parallel()
	url, _ := receive(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	err := sink.New(sink.Options{URL: url + "/?token=hidden"}).Send(t.Context(), "r", newEvent(t, "1-1"))
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hidden")
}

// A sink whose answer does not end does not hold the relay.
func TestSend_ReadsNoEndlessAnswer(t *testing.T) {
	t.Parallel()
	url, _ := receive(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	})
	require.NoError(t, sink.New(sink.Options{URL: url}).Send(t.Context(), "r", newEvent(t, "1-1")))
}

func TestParseSecret_RefusesUnsafeSecrets(t *testing.T) {
	t.Parallel()
	of := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, n := range []int{24, 64} {
		key, err := sink.ParseSecret(of(n))
		require.NoError(t, err)
		require.Len(t, key, n)
	}
	for text, want := range map[string]string{
		of(23): "has 23 bytes; use 24 to 64", of(65): "has 65 bytes", strings.TrimPrefix(of(32), "whsec_"): "does not begin with whsec_",
		"whsec_no base64": "is not base64", "whsec_": "has 0 bytes",
	} {
		_, err := sink.ParseSecret(text)
		require.ErrorContains(t, err, want)
	}
}

func TestCheckURL_WantsTLSOutsideOfCluster(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"https://shop.example.com/sink?key=1", "https://10.0.0.1:8443", "http://localhost:8080/", "http://127.0.0.1", "http://[::1]:80/x", "http://shop.default.svc/sink",
		"http://broker-ingress.knative-eventing.svc.cluster.local/booking/default",
	} {
		require.NoError(t, sink.CheckURL(url), url)
	}
	for url, want := range map[string]string{
		"https://me:secret@shop.example.com": "has a user", "http://me@localhost": "has a user", "https://": "has no host", "http://:8080": "has no host", "/sink": "no http",
		"shop.example.com": "no http", "ftp://shop.example.com": "no http", "http://shop.example.com": "outside", "http://10.0.0.1": "outside", "http://svc": "outside",
		"http://shop.svc.evil.com": "outside", "https://shop.example.com/#x": "has a #", "https://shop.example.com:port": "no http", "http://shop": "outside",
	} {
		err := sink.CheckURL(url)
		require.ErrorContains(t, err, want, url)
		require.NotContains(t, err.Error(), "secret")
	}
}
