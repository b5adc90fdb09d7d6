package seatmap

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// maxEvents limits the events in the cache.
const maxEvents = 1024

// snapshot is the encoded seat map of an event.
type snapshot struct {
	taken      time.Time
	etag       string
	body       []byte
	compressed func() []byte // gzip of body, made for the first client that accepts it
}

// cache caches the last snapshot of each event. It runs at most one read for each event.
type cache struct {
	locker  Locker
	reading singleflight.Group
	mu      sync.Mutex
	last    map[string]*snapshot
}

func newCache(locker Locker) *cache {
	return &cache{locker: locker, last: map[string]*snapshot{}}
}

// get returns a snapshot of event that is not older than maxAge.
func (c *cache) get(ctx context.Context, event string) (*snapshot, error) {
	c.mu.Lock()
	s := c.last[event]
	c.mu.Unlock()
	if s != nil && time.Since(s.taken) <= maxAge {
		return s, nil
	}
	read, err, _ := c.reading.Do(event, func() (any, error) {
		taken := time.Now()
		found, err := c.locker.Map(context.WithoutCancel(ctx), event) // other calls wait for it, too
		if err != nil {
			return nil, err
		}
		s, err := newSnapshot(taken, event, found)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.last) >= maxEvents {
			clear(c.last)
		}
		c.last[event] = s
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return read.(*snapshot), nil
}

// seatMap is the response.
type seatMap struct {
	EventID     string     `json:"event_id"`
	AsOf        string     `json:"as_of"`         // by Redis's clock
	LastEventID string     `json:"last_event_id"` // /changes resumes after it
	Seats       []api.Seat `json:"seats"`         // expires_in_ms counts from as_of
}

// newSnapshot encodes the seat map. Its ETag is a hash of the seats with their states and
// deadlines, so it stays the same until one of them changes.
func newSnapshot(taken time.Time, event string, found seatlock.SeatMap) (*snapshot, error) {
	m := seatMap{EventID: event, AsOf: api.Time(found.At), LastEventID: found.Change, Seats: make([]api.Seat, len(found.Seats))}
	hash := fnv.New64a()
	for i, s := range found.Seats {
		m.Seats[i] = api.NewSeat(s)
		deadline := int64(0)
		if s.Status == seatlock.Reserved {
			deadline = found.At.Add(s.ExpiresIn).UnixMilli()
		}
		_, _ = fmt.Fprintf(hash, "%s %d %d\n", s.ID, s.Status, deadline)
	}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	return &snapshot{
		taken: taken, etag: fmt.Sprintf(`W/"%x"`, hash.Sum64()), body: body,
		compressed: sync.OnceValue(func() []byte { return compress(body) }),
	}, nil
}

func compress(body []byte) []byte {
	var buf bytes.Buffer
	w, _ := gzip.NewWriterLevel(&buf, gzip.BestSpeed) // the level is valid
	_, _ = w.Write(body)                              // a Buffer never fails
	_ = w.Close()
	return buf.Bytes()
}
