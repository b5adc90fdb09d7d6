package changes_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func TestChanges_RejectsMoreThanMaxStreams(t *testing.T) {
	t.Parallel()
	b := setupClient(t, redistest.Mini(t).Client(t), 2)
	first := b.open(t, "")
	b.open(t, "")
	get := func() (*http.Response, string) {
		resp, err := http.Get(b.server.URL + "/changes")
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode == http.StatusOK {
			return resp, ""
		}
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp, string(body)
	}
	resp, body := get()
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "1", resp.Header.Get("Retry-After"))
	require.True(t, resp.Close, "an idle connection would count against MAX_CONNECTIONS")
	require.Contains(t, body, `"code":"unavailable"`)
	require.Contains(t, body, "Too many streams of /changes are open here (limit 2)")
	resp, err := http.Head(b.server.URL + "/changes")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode, "HEAD opens no stream")

	require.NoError(t, first.body.Close())
	require.Eventually(t, func() bool {
		resp, _ := get()
		return resp.StatusCode == http.StatusOK
	}, redistest.WaitLimit, time.Millisecond)
}

// A process follows as many events as it has streams.
func TestChanges_FollowsManyEvents(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	streams := make([]*stream, 200)
	for i := range streams {
		streams[i] = b.openEvent(t, fmt.Sprint("e", i), "")
	}
	for i, s := range streams {
		_, err := b.locker.Reserve(t.Context(), fmt.Sprint("e", i), []string{"1A"}, "ann")
		require.NoError(t, err)
		s.requireNext(t, "1A")
	}
}

// After a network fault many clients reconnect at once. Only some read at the same time.
func TestChanges_ReplaysInPages(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	b := setup(t, r)
	fill(t, r, 1_001)
	b.locker.pageGate = make(chan struct{})
	streams := make([]*stream, 24)
	for i := range streams {
		streams[i] = b.open(t, seatlock.NoChange)
	}
	require.Eventually(t, func() bool { return b.locker.pages.inFlight.Load() >= 8 }, redistest.WaitLimit, time.Millisecond)
	close(b.locker.pageGate)
	for _, s := range streams {
		for i := range 1_001 {
			s.requireNext(t, fmt.Sprint(i+1))
		}
	}
	require.EqualValues(t, 8, b.locker.pages.max.Load(), "reads at the same time")
	require.EqualValues(t, 200, b.locker.longest.Load(), "changes a page")
}

// A client that doesn't read its page delays no other replay.
func TestChanges_ReplaysDespiteSlowSubscribers(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	b := setup(t, r)
	fill(t, r, 1_001)
	handler := b.newHandler()
	b.server.Config.Handler = handler
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for range 10 {
		slow := &slowWriter{header: http.Header{}, release: release}
		req := httptest.NewRequest(http.MethodGet, "/changes?event_id="+event+"&last_event_id=0-0", nil)
		go handler.ServeHTTP(slow, req)
		require.Eventually(t, func() bool { return slow.writes.Load() == 2 }, redistest.WaitLimit, time.Millisecond)
	}
	s := b.open(t, seatlock.NoChange)
	for i := range 1_001 {
		s.requireNext(t, fmt.Sprint(i+1))
	}
}
