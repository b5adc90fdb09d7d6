// Package sink sends CloudEvents to a sink: a URL that takes them by POST.
package sink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
)

const (
	// Timeout is how long the sink may take to answer.
	Timeout = 10 * time.Second
	// MaxInFlight is how many requests may be in flight, each on a connection of its own.
	MaxInFlight = 64
	// maxRetryAfter limits how long the sink can ask for a pause.
	maxRetryAfter = time.Hour
	// maxAnswer is how many bytes of an answer are read, so that its connection can be used again.
	maxAnswer = 64 << 10
)

// ErrGone means that the sink answered 410: it wants no more of these events.
var ErrGone = errors.New("sink: 410 Gone")

// StatusError is an answer of the sink that is not 2xx.
type StatusError struct {
	Status     int
	RetryAfter time.Duration // 0 if the sink does not ask for a pause
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("sink: status %d, want 2xx", e.Status)
}

// Options of a Sink.
type Options struct {
	URL       string
	Secret    []byte // that signs the requests; nil: they are not signed
	Batched   bool   // send events in the batched content mode, otherwise each alone in the structured one
	Version   string // of the sender
	Transport http.RoundTripper
}

// Sink sends events. It is safe for concurrent use.
type Sink struct {
	opt    Options
	client *http.Client
}

// New returns a Sink.
func New(opt Options) *Sink {
	if opt.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxConnsPerHost, transport.MaxIdleConnsPerHost = MaxInFlight, MaxInFlight
		opt.Transport = transport
	}
	return &Sink{opt: opt, client: &http.Client{
		Transport:     opt.Transport,
		Timeout:       Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Send sends events in one request, and returns nil if the sink has received them: it answered 2xx.
// Unless the Sink is Batched, it takes one event. id names the request; it is the same for a retry.
// Send fails with ErrGone, a *StatusError, or an error of the connection: then the sink may have
// received them.
func (s *Sink) Send(ctx context.Context, id string, events ...event.Event) error {
	var body []byte
	var err error
	contentType := event.ApplicationCloudEventsBatchJSON
	if s.opt.Batched {
		body, err = json.Marshal(events)
	} else {
		contentType = event.ApplicationCloudEventsJSON
		body, err = json.Marshal(events[0])
	}
	if err != nil {
		return fmt.Errorf("sink: write events: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.opt.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	req.Header.Set("Content-Type", contentType) // without a charset: JSON has none, and the SDK of Go knows a batch by the exact type
	req.Header.Set("User-Agent", "booking/"+s.opt.Version)
	if s.opt.Secret != nil {
		sign(req.Header, s.opt.Secret, id, time.Now(), body)
	}
	resp, err := s.client.Do(req)
	if failure, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("sink: %w", failure.Err) // without the URL, whose query may have a secret
	}
	if err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // whatever it says, the status decides
	_ = resp.Body.Close()
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode == http.StatusGone:
		return ErrGone
	}
	return &StatusError{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
}

// retryAfter reads a header Retry-After: seconds, or a date.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, min(date.Sub(now), maxRetryAfter))
	}
	return 0
}
