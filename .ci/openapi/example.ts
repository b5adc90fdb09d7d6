// Calls the API with the types that openapi-typescript generates, and needs no cast.
import createClient from "openapi-fetch";
import type { components, paths } from "./api";

const client = createClient<paths>({ baseUrl: "http://localhost:8080" });

export async function sell(): Promise<string> {
  const one = await client.POST("/reserve", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { seat_id: "1A", user_id: "user_123" },
  });
  if (one.error) {
    return problem(one.error);
  }
  const deadline: string = one.data.expires_at;

  const group = await client.POST("/reserve", { body: { event_id: "gala", seat_ids: ["1A", "1B"], user_id: "user_123" } });
  switch (group.error?.code) {
    case "seat_unavailable":
      return (group.error.conflicts ?? []).map((seat) => `${seat.seat_id} ${seat.status}`).join();
    case "seat_limit":
      return `at most ${group.error.limit} seats`;
  }

  const extended = await client.POST("/extend", { body: { seat_id: "1A", user_id: "user_123" } });
  if (extended.data?.status === "reserved") {
    return extended.data.expires_at;
  }

  const sold = await client.POST("/buy", { body: { seat_id: "1A", user_id: "user_123", order_id: "order-7" } });
  const order: string | undefined = sold.data?.order_id;

  const returned = await client.POST("/return", { body: { seat_ids: ["1A"], user_id: "user_123", order_id: "order-7" } });
  const status: "returned" | undefined = returned.data?.status;
  const moved = await client.POST("/exchange", { body: { seat_ids: ["1A"], to_seat_ids: ["2A"], user_id: "user_123" } });
  const mine = await client.GET("/users/{user_id}/seats", { params: { path: { user_id: "user_123" } } });
  const orders = mine.data?.seats.map((seat) => seat.order_id);
  return [deadline, order, status, moved.data?.seat_ids, orders].join();
}

export async function read(): Promise<components["schemas"]["SeatStatus"]> {
  const seat = await client.GET("/seats/{seat_id}", { params: { path: { seat_id: "1A" }, query: { event_id: "gala" } } });
  if (seat.error) {
    throw new Error(problem(seat.error));
  }
  return seat.data.status;
}

export async function put(): Promise<void> {
  const params = { path: { event_id: "gala" } };
  await client.PUT("/events/{event_id}", { params, body: { title: "Gala", plan: "1-12:A-H" } });
  await client.PUT("/events/{event_id}", { params, body: { plan: { zones: [{ rows: [{ seats: [{ seat_guid: "A-1" }] }] }] } } });
  await client.PUT("/events/{event_id}", { params, body: { plan: null } });
  await client.POST("/block", { body: { event_id: "gala", seat_ids: ["1A"], channel: "house" } });
}

export function watch(show: (change: components["schemas"]["Change"]) => void): void {
  const stream = new EventSource("http://localhost:8080/changes?event_id=gala");
  stream.addEventListener("held", (event) => show(JSON.parse(event.data)));
}

export async function refused(): Promise<void> {
  // @ts-expect-error A body names seats.
  await client.POST("/reserve", { body: { user_id: "user_123" } });
  // @ts-expect-error An id is a string.
  await client.POST("/reserve", { body: { seat_ids: [1], user_id: "user_123" } });
  // @ts-expect-error Seats are kept for a channel.
  await client.POST("/block", { body: { seat_id: "1A" } });
}

function problem(p: components["schemas"]["Problem"]): string {
  return `${p.code}: ${p.detail}`;
}
