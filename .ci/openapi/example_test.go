// Package openapi_test calls the API with the client that oapi-codegen generates, and needs no conversion.
package openapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"booking/openapi/client"
)

func Example() {
	service := httptest.NewServer(http.HandlerFunc(answer))
	defer service.Close()
	c := must(client.NewClientWithResponses(service.URL))
	ctx := context.Background()
	event, user, order, key := "gala", "user_123", "order-7", "1f0e4a7c"

	var one client.SeatsRequest
	check(one.FromSeatRequest(client.SeatRequest{SeatId: "1A", UserId: &user}))
	reserved := must(c.ReserveWithResponse(ctx, &client.ReserveParams{IdempotencyKey: &key}, one))
	fmt.Println(reserved.JSON200.Status, reserved.JSON200.ExpiresAt)

	var group client.SeatsRequest
	check(group.FromSeatGroupRequest(client.SeatGroupRequest{EventId: &event, SeatIds: []string{"1A", "1B"}, UserId: &user}))
	refused := must(c.ReserveWithResponse(ctx, nil, group))
	if p := refused.ApplicationproblemJSON409; p != nil && p.Code == client.ReserveConflictCodeSeatUnavailable {
		for _, seat := range *p.Conflicts {
			fmt.Println(p.Code, seat.SeatId, seat.Status)
		}
	}

	extended := must(c.ExtendWithResponse(ctx, nil, one))
	fmt.Println(must(extended.JSON200.AsReserved()).ExpiresInMs)

	var purchase client.SeatsRequest
	check(purchase.FromSeatRequest(client.SeatRequest{SeatId: "1A", UserId: &user, OrderId: &order}))
	sold := must(c.BuyWithResponse(ctx, nil, purchase))
	fmt.Println(sold.JSON200.Status, *sold.JSON200.OrderId)
	returned := must(c.ReturnWithResponse(ctx, nil, purchase))
	fmt.Println(returned.JSON200.Status)
	moved := must(c.ExchangeWithResponse(ctx, nil, client.ExchangeRequest{SeatIds: []string{"1A"}, ToSeatIds: []string{"2A"}, UserId: user, OrderId: &order}))
	fmt.Println(moved.JSON200.SeatIds)

	seat := must(c.SeatWithResponse(ctx, "1A", &client.SeatParams{EventId: &event}))
	fmt.Println(seat.JSON200.Status == client.SeatStatusSold)

	var plan client.EventRequest_Plan
	check(plan.FromShortPlan("1-12:A-H"))
	put := must(c.PutEventWithResponse(ctx, event, nil, client.EventRequest{Plan: &plan}))
	fmt.Println(put.JSON201.EventId)

	var kept client.BlockRequest
	check(kept.FromBlockSeatGroupRequest(client.BlockSeatGroupRequest{SeatIds: []string{"2A"}, Channel: "house"}))
	blocked := must(c.BlockWithResponse(ctx, nil, kept))
	fmt.Println(blocked.JSON200.Channel)

	// Output:
	// POST /reserve {"seat_id":"1A","user_id":"user_123"}
	// reserved 2026-11-22 20:45:00 +0000 UTC
	// POST /reserve {"event_id":"gala","seat_ids":["1A","1B"],"user_id":"user_123"}
	// seat_unavailable 1B Reserved
	// POST /extend {"seat_id":"1A","user_id":"user_123"}
	// 300000
	// POST /buy {"order_id":"order-7","seat_id":"1A","user_id":"user_123"}
	// sold order-7
	// POST /return {"order_id":"order-7","seat_id":"1A","user_id":"user_123"}
	// returned
	// POST /exchange {"order_id":"order-7","seat_ids":["1A"],"to_seat_ids":["2A"],"user_id":"user_123"}
	// [2A]
	// GET /seats/1A?event_id=gala
	// true
	// PUT /events/gala {"plan":"1-12:A-H"}
	// gala
	// POST /block {"channel":"house","seat_ids":["2A"]}
	// house
}

// answer prints a call and answers like the service.
func answer(w http.ResponseWriter, r *http.Request) {
	body := must(io.ReadAll(r.Body))
	call := strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, r.URL, body))
	fmt.Println(call)
	if text, ok := refusals[call]; ok {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, text)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodPut {
		w.WriteHeader(http.StatusCreated)
	}
	fmt.Fprint(w, successes[r.URL.Path])
}

var refusals = map[string]string{
	`POST /reserve {"event_id":"gala","seat_ids":["1A","1B"],"user_id":"user_123"}`: `{"type":"about:blank","title":"Conflict","status":409,
		"detail":"1B is held by someone else. Nothing has changed; choose other seats.","code":"seat_unavailable",
		"conflicts":[{"seat_id":"1B","status":"Reserved","expires_in_ms":1000}]}`,
}

const held = `{"status":"reserved","event_id":"default","seat_ids":["1A"],"user_id":"user_123","expires_at":"2026-11-22T20:45:00.000Z","expires_in_ms":300000}`

var successes = map[string]string{
	"/reserve":     held,
	"/extend":      held,
	"/buy":         `{"status":"sold","event_id":"default","seat_ids":["1A"],"user_id":"user_123","order_id":"order-7"}`,
	"/return":      `{"status":"returned","event_id":"default","seat_ids":["1A"],"user_id":"user_123","order_id":"order-7"}`,
	"/exchange":    `{"status":"sold","event_id":"default","seat_ids":["2A"],"user_id":"user_123","order_id":"order-7"}`,
	"/seats/1A":    `{"seat_id":"1A","status":"Sold"}`,
	"/events/gala": `{"event_id":"gala"}`,
	"/block":       `{"status":"blocked","event_id":"default","seat_ids":["2A"],"channel":"house"}`,
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
