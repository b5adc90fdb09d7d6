// Package seatlock holds and sells the seats of events in Redis. It knows who holds each
// seat, until when, and to whom it is sold.
//
// # States
//
// A seat is in one of four states. While it is held, only calls of its user change its
// state. If none does, the hold ends at its deadline.
//
//	            Reserve           Extend   Buy
//	Available ───────────► Reserved(user) ─────► Sold(user)
//	    ▲                        │
//	    └────────────────────────┘
//	   Release, or the deadline passes
//
// Return ends a sale: the seat is Available again. Exchange ends a sale and makes one of another
// seat, in one step.
//
// Block keeps an available seat for a channel: it is Blocked. Only a Reserve of that channel can
// hold it, and when such a hold ends, the seat is Blocked again. Unblock makes it available.
//
// # Events
//
// An event needs no preparation: any name has seats, with the settings of Options. PutEvent gives
// an event settings of its own, a plan and a document. The scripts read the settings, so a change
// holds for the next call of every process. The sale window limits new holds; those that exist can
// be extended and bought outside of it.
//
// The package does not read plans. A caller that does names in its Terms the version of the plan
// that has the seats. If the event has another version by then, the call changes nothing and fails
// with [ErrStalePlan]: load the plan, and call again.
//
// PutEvent writes a plan only if it has each seat that is held, sold or blocked. It follows the
// event by a View, and writes if no seat has changed since; otherwise it looks again.
//
// DeleteEvent first marks the event, and from then on every script refuses it. Then it deletes the
// keys in pages. If it is interrupted, the mark remains, and a repeated call goes on.
//
// # Promises
//
//   - A seat has at most one user at any time. A sold seat keeps its user until a Return or an
//     Exchange of that user and order ends the sale. No other call does, except a DeleteEvent
//     that discards sales.
//   - A group of seats changes as a whole or not at all.
//   - A repeated call is never refused because it succeeded the first time. It changes nothing
//     more, except an Extend after a second or more, which extends the hold again, and a
//     ReserveFirst without a Request. A repeated Reserve returns the same deadline.
//   - A call that failed changes nothing later. Each script carries the deadline of its call,
//     and changes nothing if it arrives after that deadline. If a call succeeds on a retry,
//     its first attempt may still run until the deadline.
//   - A call with a Request that succeeded is not made again, even if it arrives late, after other
//     calls: it gets its first answer, and changes nothing.
//   - All times come from the clock of Redis. If that clock jumps, as in a failover to a
//     server with another clock, holds end earlier or later by as much.
//
// # Keys
//
// Every key of an event has the event as its hash tag. So a group of seats is in one slot of a
// Redis Cluster, and one script can change it.
//
//	seat:{event}:seat   string      held:<deadline, ms>:<latest deadline, ms>:<user>, with
//	                                a TTL; or sold:<time of the sale, ms>:<order> <user>,
//	                                without one; earlier versions wrote sold:<user>
//	seats:{event}       sorted set  the index: every seat that is held or sold, scored by
//	                                its deadline, ms; sold: +inf
//	user:{event}:user   sorted set  the user's seats, scored alike; only with a limit per user
//	changes:{event}     stream      every change, with its users and orders; the last 10,000
//	                                at least; with a Relay, those not sent, too
//	event:{event}       hash        settings: <version>:<version of the plan>:<on sale>:<off
//	                                sale>:<hold time>:<longest hold time>:<limit>, in ms, or
//	                                deleting; document: of PutEvent; blocked: how many
//	                                seats are blocked; kept: with a Relay, how many changes
//	                                to keep
//	plan:{event}        string      <version>:<plan of PutEvent>
//	blocked:{event}     hash        the blocked seats and their channels. A seat that is held or
//	                                sold keeps its channel
//	relay:{event}       hash        cursor: the ID of the last entry that a Relay has sent; owner
//	                                and ends, ms: its lease
//	request:{event}:... string      <fingerprint> <answer>: the answer to a call with a Request,
//	                                named <user> <key>, with a TTL
//	events              sorted set  the events that have settings
//
// A seat without a key is available. When a hold's TTL ends, Redis removes the key, so no
// sweeper is needed. The value repeats the deadline, because a conflict then needs no second
// read. The latest deadline limits extensions.
//
// The index and the stream serve reads of the whole event, and decide nothing; a user's set
// decides only the limit. Unless the event has a Relay, the index and the stream expire 10 to 20
// minutes after the last hold can have ended. A user's set expires 20 minutes after the user's last
// hold can have ended. The first sale of the event, or to the user, removes that TTL. If an operator
// deletes a seat's key, the seat is available, and a View removes it from the index.
//
// A change's ID is <epoch>-<offset>, both µs: the time of the event's first change, and the time
// of this change or more. So a Redis that lost its data has another epoch, and a position of the
// old one is a reset. A batch of Reserves makes one change. Each of its users has an Entry in the
// journal, whose ID is between those of the change before and of this one.
//
// If an expiry or an operator ends a hold, its key is gone, and so the change does not name the
// user. The Entry of the hold does.
//
// # Views
//
// A View is a copy of an event's seats in the process. The first Refresh notes the position of
// the changes, reads the index in pages of about 1000 seats, and then applies the changes since
// that position. The later ones only read changes. So no command holds Redis for long, whatever
// the size of the hall. If the position is lost, or the index has another number of seats, the
// View loads again.
//
// # Relays
//
// A Relay is the position up to which the entries of an event were sent elsewhere, the cursor, and
// a lease: one process sends them at a time. A process has the lease for 13 s after a Refresh, and
// sends only then. The script that moves the cursor refuses a process that has lost the lease. So
// no entry is left out; if a process ends between a send and its next Refresh, entries are sent
// twice. No lease is taken while there is nothing to send.
//
// While changes wait, the stream keeps up to as many as NewRelay asks for. When all are sent,
// Refresh trims it to about 10,000. The index and the stream then have no TTL, because a hold that
// ends is an entry, too. DeleteEvent ends all that.
//
// # Transitions
//
// Each transition is one Lua script in lua/ and takes one round trip. A script reads and decides
// before it writes, because Redis does not roll back a script that fails. A refusal writes
// nothing. Calls made at the same time share a round trip, and all calls of Reserve at an event in
// it share one run of the script; see package batch.
//
// # Expiry
//
// Redis removes an expired key without running a script. So the change is recorded later,
// exactly once, before the seat's next change. The index still has the seat: its deadline has
// passed, and its key is gone. The script that removes it from the index appends the expired
// change. Refresh of a View does that; so a reader calls it when the next deadline has passed.
// Reserve, Exchange and Block do that, too, for their seats, and Reserve for others. If an event
// has no reader, the change may come late. A seat is available from its deadline on in any case.
//
// # Errors
//
// A refusal is a [*ConflictError], which names the seats and wraps [ErrTaken], [ErrOwned],
// [ErrHoldExpired], [ErrHeldByOther], [ErrSold], [ErrNotReturnable] or [ErrPlanDropsSeats]; a
// [*LimitError]; or a [*NotOnSaleError]. While an event is being deleted, each call for it fails
// with [ErrUnknownEvent]. A call with Terms.Request may fail with [ErrRequestReused].
//
// An outage is never a refusal. It is [ErrUnavailable] if the change can't have been made, and
// [ErrOutcomeUnknown] if it may have been. Repeat the call after either.
//
// # Glossary
//
//	event       a name that callers choose; it has its own seats. It may have settings
//	settings    the sale window, the hold times and the limit of an event, as PutEvent wrote them
//	plan        the seats of an event; the package keeps it and does not read it
//	channel     a name for what blocked seats are kept for
//	seat        what a user holds or buys, named within its event
//	user        the buyer that a call names
//	group       the seats of one call; all of them change, or none
//	hold        a seat kept for one user until its deadline
//	sale        a seat that belongs to its user, under an order, until a Return or an Exchange
//	order       the caller's own name of a purchase; it may be empty
//	seat map    a snapshot of all seats of an event that are held, sold or blocked
//	change      what one script did to seats: held, extended, released, expired, sold,
//	            returned, exchanged, blocked or unblocked
//	entry       the part of a change that concerns one user
//	journal     the entries of an event in order
//	index       the sorted set seats:{event}
//	stream      changes:{event}, the changes of an event in order
//	relay       sends the entries of an event elsewhere, in order
//	cursor      the ID of the last entry that a relay has sent
//	lease       the right to send the entries of an event, for a time
//	request     a call that is remembered under its Idempotency-Key
//	transition  what one call does to seats: reserve, extend, buy, return, exchange, release, block
//	            or unblock
//	promise     one of the promises above, which no load and no fault breaks
//	call        one call of a Locker's method, or the HTTP call that makes it
//	command     what is sent to Redis, for instance EVALSHA
//	batch       calls of one event that share a round trip, perhaps with batches of other events
//	retry       a Locker sends a command again, because Redis did not run it or its reply was lost
//	redirect    a cluster's node says that another node has the slot (MOVED, ASK)
//	refusal     an answer that the call is not possible; nothing has changed
//	conflict    a refusal because of seats
//	outage      Redis does not answer; never a refusal
//	deadline    of a hold: when the seat becomes available again; of a call: when its caller has
//	            an answer
//	not-after   the deadline of a call by the clock of Redis; later, its script changes nothing
package seatlock
