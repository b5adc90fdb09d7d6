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

// maxEvents is how many events the cache knows at a time.
const maxEvents = 1024

// snapshot is the answer for one event at one moment.
type snapshot struct {
	taken      time.Time
	etag       string
	body       []byte
	compressed func() []byte // made when the first client wants it
}

// cache keeps the snapshots that are fresh, and has one read under way an event.
type cache struct {
	locker  Locker
	reading singleflight.Group
	mu      sync.Mutex
	fresh   map[string]*snapshot
}

func newCache(locker Locker) *cache {
	return &cache{locker: locker, fresh: map[string]*snapshot{}}
}

// get returns a snapshot of event that is no older than maxAge.
func (c *cache) get(ctx context.Context, event string) (*snapshot, error) {
	c.mu.Lock()
	s := c.fresh[event]
	c.mu.Unlock()
	if s != nil && time.Since(s.taken) <= maxAge {
		return s, nil
	}
	read, err, _ := c.reading.Do(event, func() (any, error) {
		taken := time.Now()
		found, err := c.locker.Map(context.WithoutCancel(ctx), event) // others wait for it too
		if err != nil {
			return nil, err
		}
		s, err := newSnapshot(taken, event, found)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.fresh) >= maxEvents {
			clear(c.fresh)
		}
		c.fresh[event] = s
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return read.(*snapshot), nil
}

type answer struct {
	EventID     string     `json:"event_id"`
	AsOf        string     `json:"as_of"`         // by Redis' clock
	LastEventID string     `json:"last_event_id"` // what /changes goes on from
	Seats       []api.Seat `json:"seats"`         // expires_in_ms is from as_of
}

// newSnapshot makes the answer. Its ETag is of the seats, their states and their
// deadlines, whatever the moment.
func newSnapshot(taken time.Time, event string, found seatlock.SeatMap) (*snapshot, error) {
	a := answer{EventID: event, AsOf: api.Time(found.At), LastEventID: found.Change, Seats: make([]api.Seat, len(found.Seats))}
	hash := fnv.New64a()
	for i, s := range found.Seats {
		a.Seats[i] = api.NewSeat(s)
		deadline := int64(0)
		if s.Status == seatlock.Reserved {
			deadline = found.At.Add(s.ExpiresIn).UnixMilli()
		}
		_, _ = fmt.Fprintf(hash, "%s %d %d\n", s.ID, s.Status, deadline)
	}
	body, err := json.Marshal(a)
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
	w, _ := gzip.NewWriterLevel(&buf, gzip.BestSpeed) // a valid level is no error
	_, _ = w.Write(body)                              // nor is a write to a Buffer
	_ = w.Close()
	return buf.Bytes()
}
