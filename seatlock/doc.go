// Package seatlock keeps the truth about the seats of an event in Redis: who
// holds one, until when, and to whom it is sold.
//
// # States
//
// A seat is in one of three states. Only its own user moves it on; time alone
// ends a hold.
//
//	            Reserve                    Buy
//	Available ───────────► Reserved(user) ─────► Sold(user)
//	    ▲                        │
//	    └────────────────────────┘
//	        the deadline passes
//
// # Invariants
//
//   - At any moment a seat has at most one user, and a sold seat keeps its
//     user for ever.
//   - A group of seats changes as a whole or not at all.
//   - A call that is repeated, by a caller or on the way, leaves the state and
//     gives the answer of one call: the same user reserving again is told the
//     same deadline, and buying again is told that the seats are sold.
//   - All times come from the clock of Redis.
//
// # Keys
//
// Every key of an event carries the event as its hash tag, so that a group of
// seats is one slot of a Redis Cluster and one script.
//
//	seat:{event}:seat   string   held:<latest deadline, ms>:<user>, with a TTL
//	                             sold:<user>, without one
//
// The absence of the key is what makes a seat available: when the TTL of a
// hold ends, Redis removes the key, and no sweeper is needed. The latest
// deadline in the value is how far a hold may ever be extended.
//
// # Transitions
//
// Each transition is one Lua script in lua/, run in one round trip. It reads
// and decides before it writes, because Redis does not roll back what a script
// wrote before it failed. A refusal writes nothing. Calls made at the same time
// share round trips through the automatic pipelining of go-redis.
//
// # Errors
//
// A refusal is a [*ConflictError]: it wraps [ErrTaken], [ErrHoldExpired] or
// [ErrHeldByOther] and names the seats that stood in the way. What Redis did not
// answer is never a refusal: it is [ErrUnavailable] where the change cannot have
// been made, and [ErrOutcomeUnknown] where it may have been. After either, the
// same call may be repeated.
package seatlock
