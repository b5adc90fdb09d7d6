package changes

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

const (
	// writeTimeout is the deadline of one write to a client that does not keep up.
	writeTimeout = 10 * time.Second
	// queueLimit is how many frames may wait for a client. Then the stream ends, and the
	// client resumes by its last id.
	queueLimit = 64
)

// connection is what a stream writes to.
type connection interface {
	Write(p []byte) (int, error)
	SetWriteDeadline(t time.Time) error
	Close() error
}

// stream is an open response. It has no goroutine of its own as long as its client keeps up.
type stream struct {
	conn  connection
	raw   syscall.RawConn // nil if conn has none
	ended func()          // called once, when the stream is closed
	done  chan struct{}   // closed then, too

	mu       sync.Mutex
	queue    [][]byte // frames that drain writes
	draining bool
	closed   bool
}

// send writes a frame, or queues it if the client does not keep up. It never waits. It closes
// the stream if it fails, or if the queue is full.
func (s *stream) send(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if !s.draining {
		n, err := s.tryWrite(frame)
		if err != nil {
			go s.close()
			return
		}
		if frame = frame[n:]; len(frame) == 0 {
			return
		}
		s.draining = true
		go s.drain()
	}
	if len(s.queue) == queueLimit {
		go s.close()
		return
	}
	s.queue = append(s.queue, frame)
}

// tryWrite writes what the kernel takes at once.
func (s *stream) tryWrite(p []byte) (n int, err error) {
	if s.raw == nil {
		return 0, nil
	}
	var writeErr error
	err = s.raw.Write(func(fd uintptr) bool {
		n, writeErr = tryWrite(fd, p)
		return true
	})
	if errors.Is(writeErr, syscall.EAGAIN) || errors.Is(writeErr, syscall.EINTR) {
		writeErr = nil
	}
	return max(0, n), errors.Join(err, writeErr)
}

// drain writes the queue until it is empty.
func (s *stream) drain() {
	for {
		s.mu.Lock()
		if len(s.queue) == 0 || s.closed {
			s.queue, s.draining = nil, false
			s.mu.Unlock()
			return
		}
		frame := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()
		if s.write(frame) != nil {
			s.close()
			return
		}
	}
}

// write waits until p is written, for writeTimeout at most.
func (s *stream) write(p []byte) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // fails on a test's ResponseRecorder
	_, err := s.conn.Write(p)
	_ = s.conn.SetWriteDeadline(time.Time{})
	return err
}

// hungUp reports whether the client closed the connection.
func (s *stream) hungUp() bool {
	if s.raw == nil {
		return false // detectHangUp does it
	}
	var n int
	var readErr error
	err := s.raw.Read(func(fd uintptr) bool {
		n, readErr = tryRead(fd)
		return true
	})
	return err != nil || readErr == nil && n == 0 || readErr != nil && !errors.Is(readErr, syscall.EAGAIN) && !errors.Is(readErr, syscall.EINTR)
}

// detectHangUp closes the stream when the client closes conn, or sends something: no client
// does that before the response ends.
func (s *stream) detectHangUp(conn net.Conn) {
	_, _ = conn.Read(make([]byte, 1))
	s.close()
}

func (s *stream) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *stream) close() {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if was {
		return
	}
	_ = s.conn.Close()
	s.ended()
	close(s.done)
}

// responseConn writes to a response whose connection can't be taken over, as with HTTP/2.
type responseConn struct {
	w   http.ResponseWriter
	out *http.ResponseController

	mu     sync.Mutex
	closed bool
}

func (c *responseConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	n, err := c.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, c.out.Flush()
}

func (c *responseConn) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }

// Close waits until no Write runs: after that, the handler may return.
func (c *responseConn) Close() error {
	_ = c.out.SetWriteDeadline(time.Now()) // ends a Write that blocks
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}
