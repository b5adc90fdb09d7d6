package changes

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/hall"
	"booking/seatlock"
)

func TestAfter_ComparesNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"10-1", "9-9", true}, {"9-9", "10-1", false},
		{"7-10", "7-9", true}, {"7-9", "7-10", false},
		{"7-9", "7-9", false}, {"7-0", "0-0", true},
	} {
		require.Equal(t, c.want, after(c.a, c.b), "%s after %s", c.a, c.b)
	}
}

// batchOf returns a batch of the changes first to last.
func batchOf(first, last int) hall.Batch {
	var batch hall.Batch
	for i := first; i <= last; i++ {
		batch.Position = fmt.Sprint("7-", i)
		batch.Changes = append(batch.Changes, seatlock.Change{ID: batch.Position, Type: seatlock.ChangeSold})
	}
	return batch
}

func TestFeed_KeepsLastChanges(t *testing.T) {
	t.Parallel()
	f := &feed{event: "gala", from: "7-0", position: "7-0", streams: map[*stream]struct{}{}, sent: make(chan struct{})}
	sent := f.sent
	f.advance(batchOf(1, keptChanges))
	<-sent
	require.Equal(t, "7-0", f.from)
	require.Len(t, f.kept, keptChanges)
	f.advance(batchOf(keptChanges+1, keptChanges+1))
	require.Equal(t, "7-1", f.from)
	f.advance(batchOf(keptChanges+2, keptChanges+2))
	require.Equal(t, "7-2", f.from)
	require.Equal(t, "7-3", f.kept[0].ID)
	require.Len(t, f.kept, keptChanges)
	require.Equal(t, f.position, f.kept[keptChanges-1].ID)

	lost := batchOf(1, 2)
	lost.Reset, lost.Position = true, "9-9"
	f.advance(lost)
	require.Empty(t, f.kept)
	require.Equal(t, "9-9", f.from)
	require.Equal(t, "9-9", f.position)
}

// clientConn is a connection whose writes wait until the client reads, or until it is closed.
type clientConn struct {
	read   chan string
	closed chan struct{}
	close  func()

	mu        sync.Mutex
	deadlines []time.Duration // from when they were set; 0 for none
}

func newClientConn() *clientConn {
	c := &clientConn{read: make(chan string), closed: make(chan struct{})}
	c.close = sync.OnceFunc(func() { close(c.closed) })
	return c
}

func (c *clientConn) Write(p []byte) (int, error) {
	select {
	case c.read <- string(p):
		return len(p), nil
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *clientConn) SetWriteDeadline(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.IsZero() {
		c.deadlines = append(c.deadlines, 0)
	} else {
		c.deadlines = append(c.deadlines, time.Until(at))
	}
	return nil
}

func (c *clientConn) Close() error {
	c.close()
	return nil
}

func TestStream_QueuesFramesForSlowClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, ended := newClientConn(), 0
		s := &stream{conn: conn, done: make(chan struct{}), ended: func() { ended++ }}
		send := func(frame string) {
			s.send([]byte(frame))
			synctest.Wait()
		}
		send("a")
		send("b")
		send("c")
		require.Equal(t, "abc", <-conn.read+<-conn.read+<-conn.read)
		synctest.Wait()
		require.Equal(t, []time.Duration{writeTimeout, 0, writeTimeout, 0, writeTimeout, 0}, conn.deadlines)

		for range 1 + queueLimit { // one is being written
			send("x")
		}
		require.False(t, s.isClosed())
		require.Equal(t, strings.Repeat("x", 2), <-conn.read+<-conn.read)
		synctest.Wait()
		send("x")
		send("x")
		require.False(t, s.isClosed(), "there is room again")
		send("x")
		require.True(t, s.isClosed())
		<-s.done
		s.close() // again
		send("x")
		require.Equal(t, 1, ended)
	})
}
