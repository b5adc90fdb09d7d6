package api

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAppendJSON_IsWhatEncodingJSONWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		ms := rapid.Ptr(rapid.Int64(), true)
		answer := &SeatsResponse{
			Status: text.Draw(t, "status"), EventID: text.Draw(t, "event"), SeatIDs: rapid.SliceOfN(text, 1, 10).Draw(t, "seats"),
			UserID: text.Draw(t, "user"), ExpiresAt: text.Draw(t, "at"), ExpiresInMS: ms.Draw(t, "ms"), OrderID: text.Draw(t, "order"),
		}
		want, err := json.Marshal(answer)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(answer.appendJSON(nil)))

		problem := &Problem{
			Type: text.Draw(t, "type"), Title: text.Draw(t, "title"), Status: rapid.Int().Draw(t, "code"), Detail: text.Draw(t, "detail"),
			Code: Code(text.Draw(t, "word")),
			Conflicts: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Seat {
				return Seat{SeatID: text.Draw(t, "seat"), Status: text.Draw(t, "state"), ExpiresInMS: ms.Draw(t, "left")}
			}), 0, 3).Draw(t, "conflicts"),
			Limit: rapid.Ptr(rapid.Custom(func(t *rapid.T) Limit {
				return Limit{rapid.Int().Draw(t, "limit"), rapid.Int().Draw(t, "held"), rapid.Int().Draw(t, "sold")}
			}), true).Draw(t, "counts"),
			OnSaleAt: text.Draw(t, "on sale"),
		}
		want, err = json.Marshal(problem)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(problem.appendJSON(nil)))
	})
}
