package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// detail returns the detail of the response to err.
func detail(t *testing.T, method string, err error) string {
	t.Helper()
	rec := httptest.NewRecorder()
	api.WriteError(rec, httptest.NewRequest(method, "/", nil), err)
	var p api.Problem
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &p))
	return p.Detail
}

func TestWriteError_HasADetailForReads(t *testing.T) {
	t.Parallel()
	outage := fmt.Errorf("map: %w", seatlock.ErrUnavailable)
	require.Equal(t, "The seats can't be reached right now, and this request has changed nothing. Send it again.", detail(t, http.MethodPost, outage))
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		require.Equal(t, "The seats can't be read right now. Send the same request again.", detail(t, method, outage))
	}
}

// The caller goes away while its call waits: that is no defect.
func TestWriteError_OfACallerThatWentAwayIsNoDefect(t *testing.T) {
	t.Parallel()
	for _, err := range []error{context.Canceled, fmt.Errorf("wait: %w", context.DeadlineExceeded)} {
		rec := httptest.NewRecorder()
		api.WriteError(rec, httptest.NewRequest(http.MethodPost, "/", nil), err)
		require.Equal(t, http.StatusServiceUnavailable, rec.Code)
		require.Contains(t, rec.Body.String(), `"code":"unavailable"`)
	}
}

func TestWriteError_ListsTheConflictsBeforeTheDetail(t *testing.T) {
	t.Parallel()
	conflict := func(err error, seats ...seatlock.Seat) error { return &seatlock.ConflictError{Err: err, Seats: seats} }
	held, sold := seatlock.Seat{ID: "1A", Status: seatlock.Reserved}, seatlock.Seat{ID: "1B", Status: seatlock.Sold}
	yours, free := seatlock.Seat{ID: "1C", Status: seatlock.Sold, OwnedByCaller: true}, seatlock.Seat{ID: "1D"}
	for _, test := range []struct {
		err  error
		want string
	}{
		{conflict(seatlock.ErrTaken, held, sold), "1A is held by someone else, 1B is sold. Nothing has changed; choose other seats."},
		{conflict(seatlock.ErrOwned, yours), "1C is already sold to you. Nothing was reserved."},
		{conflict(seatlock.ErrTaken, yours, held), "1C is already sold to you, 1A is held by someone else. Nothing has changed; choose other seats."},
		{conflict(seatlock.ErrHoldExpired, free), "1D is not held. Nothing has changed; reserve again."},
		{conflict(seatlock.ErrHeldByOther, held, free), "1A is held by someone else, 1D is not held. Nothing has changed; choose other seats."},
		{conflict(seatlock.ErrSold, sold), "1B is sold. Sold seats can't be released, nor sold under another order. Nothing has changed."},
		{&seatlock.LimitError{Limit: 4, Held: 1, Sold: 3}, "You would have more seats than a user may have at this event. Nothing was reserved; choose fewer, or release some."},
		{seatlock.ErrOutcomeUnknown, "This may or may not have taken effect. Send the same request again; that is safe."},
	} {
		require.Equal(t, test.want, detail(t, http.MethodPost, test.err))
	}
}
