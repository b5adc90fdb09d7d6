package httpserver

import (
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Each step sets a deadline, in seconds from the start, and says when an operation that
// can't complete must end. With no deadline, the operation completes at that time.
func TestLazyDeadlineConn_KeepsDeadlines(t *testing.T) {
	t.Parallel()
	type step struct {
		deadline, ends float64
	}
	const none = 0
	for name, steps := range map[string][]step{
		"Once":                  {{5, 5}},
		"Later":                 {{5, 5}, {7, 7}},
		"Earlier":               {{5, 5}, {6, 6}},
		"InThePast":             {{-1, 0}, {3, 3}},
		"PastEarlierOnes":       {{2, 2}, {2.5, 2.5}, {9, 9}},
		"AgainAfterItFired":     {{1, 1}, {1, 1}, {4, 4}},
		"NoneAfterOneInThePast": {{-1, 0}, {none, 10}},
		"NoneAfterOne":          {{1, 1}, {none, 10}, {12, 12}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, write := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					near, far := net.Pipe()
					defer near.Close()
					defer far.Close()
					c := &lazyDeadlineConn{Conn: near}
					set, operate, complete := c.SetReadDeadline, c.Read, far.Write
					if write {
						set, operate, complete = c.SetWriteDeadline, c.Write, far.Read
					}
					start := time.Now()
					at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
					for _, s := range steps {
						require.NoError(t, set(at(100))) // net/http, too, sets a later deadline first
						deadline := at(s.deadline)
						if s.deadline == none {
							deadline = time.Time{}
							time.AfterFunc(time.Until(at(s.ends)), func() { _, _ = complete(make([]byte, 1)) })
						}
						require.NoError(t, set(deadline))
						n, err := operate(make([]byte, 1))
						if s.deadline == none {
							require.NoError(t, err)
							require.Equal(t, 1, n)
						} else {
							require.ErrorIs(t, err, os.ErrDeadlineExceeded)
						}
						require.Equal(t, at(s.ends), time.Now())
					}
				})
			}
		})
	}
}

func TestLazyDeadlineConn_WritesPastExtendedDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		c := &lazyDeadlineConn{Conn: near}
		require.NoError(t, c.SetDeadline(time.Now().Add(time.Second)))
		require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
		go func() {
			for range 10 { // two bytes every half second
				time.Sleep(time.Second / 2)
				_, _ = far.Read(make([]byte, 2))
			}
		}()
		n, err := c.Write(make([]byte, 20))
		require.NoError(t, err)
		require.Equal(t, 20, n)
	})
}
