// Package watch opens many streams of the changes of an event, and checks that none of them
// loses a change.
package watch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"booking/functions/cmd/rush/internal/client"
)

const (
	// openers is how many streams are opened at a time.
	openers = 64
	// openTimeout is how long the service may take to open a stream.
	openTimeout = 10 * time.Second
	// resumeDelay is how long a watcher waits before it connects again.
	resumeDelay = time.Second
	// settleTime is how long the last changes may take to reach all watchers.
	settleTime = 15 * time.Second
)

var seed = maphash.MakeSeed() // of the digests

// Watchers are open streams of one event.
type Watchers struct {
	client  *http.Client
	url     string
	stop    context.CancelFunc
	running sync.WaitGroup
	all     []*watcher
}

// watcher reads one stream, and connects again if it ends.
type watcher struct {
	replay map[string]string // seat to status, but for seats that are Available; nil: not kept

	mu      sync.Mutex
	last    string // the ID of the last change
	changes int
	digest  uint64 // of the IDs of all changes
	resumed int
	resets  int
}

// Open opens n streams. It fails if the service does not accept one.
func Open(ctx context.Context, address, event string, n int) (*Watchers, error) {
	running, stop := context.WithCancel(context.Background())
	w := &Watchers{
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true, ResponseHeaderTimeout: openTimeout}},
		url:    address + "/changes?event_id=" + url.QueryEscape(event),
		stop:   stop,
	}
	opening, ctx := errgroup.WithContext(ctx)
	opening.SetLimit(openers)
	for i := range n {
		each := &watcher{last: "0"}
		if i == 0 {
			each.replay = map[string]string{}
		}
		w.all = append(w.all, each)
		opening.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			stream, err := w.connect(running, each)
			if err != nil {
				return fmt.Errorf("stream %d of %d: %w", i+1, n, err)
			}
			w.running.Go(func() { w.watch(running, each, stream) })
			return nil
		})
	}
	if err := opening.Wait(); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// connect opens the stream of each after its last change.
func (w *Watchers) connect(ctx context.Context, each *watcher) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Last-Event-ID", each.last)
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, client.StatusError{Method: http.MethodGet, Path: "/changes", Status: resp.StatusCode}
	}
	return resp.Body, nil
}

// watch reads the stream until ctx ends. If the stream ends earlier, watch opens the next.
func (w *Watchers) watch(ctx context.Context, each *watcher, stream io.ReadCloser) {
	for {
		each.read(stream)
		_ = stream.Close()
		for {
			if !sleep(ctx, resumeDelay) {
				return
			}
			next, err := w.connect(ctx, each)
			if err == nil {
				stream = next
				break
			}
		}
		each.mu.Lock()
		each.resumed++
		each.mu.Unlock()
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// read reads a stream to its end.
func (each *watcher) read(stream io.Reader) {
	var id, event string
	lines := bufio.NewReader(stream)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return
		}
		name, value, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(": "))
		switch string(name) {
		case "id":
			id = string(value)
		case "event":
			event = string(value)
		case "data":
			each.note(id, event, value)
		}
	}
}

// note records an event of a stream.
func (each *watcher) note(id, event string, data []byte) {
	each.mu.Lock()
	defer each.mu.Unlock()
	each.last = id
	if event == "reset" {
		each.resets++
		return
	}
	each.changes++
	each.digest = each.digest*31 + maphash.String(seed, id)
	if each.replay == nil {
		return
	}
	var change struct {
		SeatIDs   []string `json:"seat_ids"`
		Status    string   `json:"status"`
		ToSeatIDs []string `json:"to_seat_ids"`
	}
	if json.Unmarshal(data, &change) != nil {
		return // the replay will differ from the seat map
	}
	for _, seat := range change.SeatIDs {
		if each.replay[seat] = change.Status; change.Status == "Available" {
			delete(each.replay, seat)
		}
	}
	for _, seat := range change.ToSeatIDs {
		each.replay[seat] = "Sold"
	}
}

// Result is what the watchers received.
type Result struct {
	Streams int `json:"streams"`
	Changes int `json:"changes"` // that each stream has to receive
	Resumed int `json:"resumed"` // how often a stream ended and was opened again
	Lost    int `json:"lost"`    // streams that lost a change
}

// Result waits until all watchers have the last change of the seat map that observe returns.
// The first watcher must have replayed the changes to just that map, and the others must have
// received the same changes. It returns the last error of observe.
func (w *Watchers) Result(ctx context.Context, observe func() (client.Map, error)) (Result, error) {
	for begun := time.Now(); ; {
		m, err := observe()
		result, complete := w.compare(m)
		if err == nil && complete || ctx.Err() != nil || time.Since(begun) > settleTime {
			return result, err
		}
		sleep(ctx, time.Second/10)
	}
}

// compare returns the Result if m is the final seat map. It is complete if nothing is lost.
func (w *Watchers) compare(m client.Map) (result Result, complete bool) {
	result.Streams = len(w.all)
	var changes int
	var digest uint64
	for i, each := range w.all {
		each.mu.Lock()
		if i == 0 {
			changes, digest = each.changes, each.digest
		}
		if each.last != m.LastChange || each.resets > 0 || each.changes != changes || each.digest != digest || each.replay != nil && !equals(m, each.replay) {
			result.Lost++
		}
		result.Changes = max(result.Changes, each.changes)
		result.Resumed += each.resumed
		each.mu.Unlock()
	}
	return result, result.Lost == 0
}

// equals reports whether a replay has just the seats of m, with the same status.
func equals(m client.Map, replay map[string]string) bool {
	for _, seats := range []struct {
		ids    []string
		status string
	}{{m.Held, "Reserved"}, {m.Sold, "Sold"}, {m.Blocked, "Blocked"}} {
		for _, id := range seats.ids {
			if replay[id] != seats.status {
				return false
			}
		}
	}
	return len(replay) == len(m.Held)+len(m.Sold)+len(m.Blocked)
}

// Close ends all streams.
func (w *Watchers) Close() {
	w.stop()
	w.running.Wait()
}
