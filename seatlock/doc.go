// Package seatlock keeps the truth about the seats of an event in Redis: who
// holds one, until when, and to whom it is sold.
//
// # States
//
// A seat is in one of three states. Only its own user moves it on; time alone
// ends a hold.
//
//	            Reserve           Extend   Buy
//	Available ───────────► Reserved(user) ─────► Sold(user)
//	    ▲                        │
//	    └────────────────────────┘
//	   Release, or the deadline passes
//
// # Invariants
//
//   - At any moment a seat has at most one user, and a sold seat keeps its
//     user for ever.
//   - A group of seats changes as a whole or not at all.
//   - A call that is repeated, by a caller or on the way, leaves the state and
//     gives the answer of one call: the same user reserving again is told the
//     same deadline, and buying again is told that the seats are sold.
//   - A call that was answered with an error has no effect after that: each script
//     carries the time until which its caller waits, and changes nothing later. (If a
//     call succeeds in a second attempt, the first may still run until that time.)
//   - All times come from the clock of Redis. If that clock jumps, as after a failover
//     to a server with another one, holds end earlier or later by as much.
//
// # Keys
//
// Every key of an event carries the event as its hash tag, so that a group of
// seats is one slot of a Redis Cluster and one script.
//
//	seat:{event}:seat   string      held:<deadline, ms>:<latest deadline, ms>:<user>,
//	                                with a TTL; sold:<user>, without one
//	seats:{event}       sorted set  every seat that is not free, by its deadline,
//	                                ms; +inf where it is sold
//	user:{event}:user   sorted set  that user's, likewise; only where
//	                                Options.MaxSeatsPerUser is set
//	changes:{event}     stream      every transition; the last 10,000 at least
//
// The absence of the key is what makes a seat available: when the TTL of a
// hold ends, Redis removes the key, and no sweeper is needed. The value repeats the
// deadline, so that a refusal reads it along with the user; the latest deadline is how
// far a hold may ever be extended. The other keys are
// read by those who look at the whole event, and decide nothing but the limit. They have
// a TTL, of 20 minutes after the last hold can have ended, until the first sale of the
// event or of the user. If a seat's key is deleted by hand, the seat is available, and
// Map takes it out of the sorted set.
//
// # Transitions
//
// Each transition is one Lua script in lua/, run in one round trip. It reads
// and decides before it writes, because Redis does not roll back what a script
// wrote before it failed. A refusal writes nothing. Calls made at the same time
// share round trips, and those of Reserve one run of its script.
//
// # A hold that ends by itself
//
// No command runs when Redis removes a key, yet the end of a hold is a change that
// others must hear of, once and before the seat's next one. The sorted set remembers
// it: a seat whose deadline has passed and whose key is gone has ended, and whoever
// takes it out of the set first notes that, in the same script. That is Settle,
// which every reader of the changes calls when the nearest deadline has passed; and
// it is Reserve, for the seats that it takes and for others that it finds. So the
// stream may learn of an end late, where nobody reads it; it is never wrong, and
// whether a seat is free never waits for it.
//
// # Errors
//
// A refusal is a [*ConflictError]: it wraps [ErrTaken], [ErrHoldExpired],
// [ErrHeldByOther] or [ErrSold] and names the seats that stood in the way; or it is
// a [*LimitError]. What Redis did not answer is never a refusal: it is [ErrUnavailable] where the change cannot have
// been made, and [ErrOutcomeUnknown] where it may have been. After either, the
// same call may be repeated.
package seatlock
