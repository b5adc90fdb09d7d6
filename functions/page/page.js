// The page: what the hall and the basket show, and what its buttons do.
//
// How a seat stands comes from the service alone, in its order. Whose it is comes from
// the answers to this user's own calls, since the service names no user to others.

import { build, element, say as tell } from './hall.js'
import { follow } from './live.js'
import { event, remember, remembered, send, user, whenRemembered } from './mine.js'

const most = 10 // seats in the basket, as many as one request may name
const warnAt = [60, 20] // s before a hold ends
const steady = 1000 // ms that Buy must have named its seats before a click buys them

const $ = id => document.getElementById(id)
const list = ids => new Intl.ListFormat('en').format(ids)
const are = (ids, what) => `${list(ids)} ${ids.length === 1 ? 'is' : 'are'} ${what}.`
const clock = s => `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`

let seats = new Map() // those that are not free, as live.js has them
const chosen = new Set()
const held = new Map() // by this user, with when that was known
const bought = new Set()
const asked = new Set() // of a reserve under way
const unsure = new Set() // of a reserve whose outcome is not known
let busy = false
let named = 0 // when Buy named the seats that it names
let restoring = null
let restored = false
let left = Infinity // s, as the countdown showed last
let connected = true
let acting = Promise.resolve()
let refresh = () => {}

const hall = build($('hall'), await (await fetch('/page/plan.json')).json(), choose)

function state (id) {
  if (bought.has(id)) return 'bought'
  if (held.has(id)) return 'held'
  const status = seats.get(id)?.status
  if (status === 'Sold') return 'sold'
  if (chosen.has(id)) return 'chosen'
  return status ? 'taken' : 'free'
}

// say shows a sentence, and screen readers read it: at once where it is urgent.
function say (sentence, urgent = false) {
  $('said').textContent = urgent ? '' : sentence
  $('warned').textContent = urgent ? sentence : ''
}

const warn = sentence => say(sentence, true)

function draw () {
  for (const id of hall.ids) hall.show(id, state(id))
  const free = hall.ids.filter(id => !seats.has(id) && !held.has(id) && !bought.has(id)).length
  $('free').textContent = `${free} of ${hall.ids.length} free`
  chips($('held'), held.keys(), 'Let go of', id => queue('release', () => [id].filter(id => held.has(id))))
  chips($('chosen'), chosen, 'Do not choose', choose)
  $('bought').textContent = list([...bought])
  $('hold').textContent = chosen.size === 1 ? 'Hold 1 seat' : `Hold ${chosen.size} seats`
  const offer = held.size === 1 ? 'Buy 1 seat' : `Buy ${held.size} seats`
  if ($('buy').textContent !== offer) {
    $('buy').textContent = offer
    named = performance.now()
  }
  $('held-part').hidden = held.size === 0
  $('chosen-part').hidden = chosen.size === 0
  $('bought-part').hidden = bought.size === 0
  $('hint').hidden = held.size + chosen.size > 0
  enable()
  count()
}

// tooSoon reports whether a click may be meant for what was there before Buy: the second
// one of two clicks on Hold lands on it.
const tooSoon = () => performance.now() - named < steady

function enable () {
  for (const id of ['hold', 'extend', 'release']) $(id).ariaDisabled = busy ? 'true' : null
  $('buy').ariaDisabled = busy || tooSoon() ? 'true' : null
}

function chips (parent, ids, what, press) {
  const wanted = [...ids]
  if (wanted.join() === [...parent.children].map(li => li.dataset.seat).join()) return
  const within = parent.contains(document.activeElement)
  parent.replaceChildren(...wanted.map(id => {
    const button = element('button', { type: 'button', textContent: id + ' ✕', ariaLabel: `${what} ${id}` })
    button.addEventListener('click', () => press(id))
    const item = element('li', {})
    item.dataset.seat = id
    item.append(button)
    return item
  }))
  // Not to the next chip: a key that is pressed twice would press that one too.
  if (within) (wanted.length ? parent.previousElementSibling : hall).focus()
}

// count shows how long the first of the holds lasts, and says when little is left.
function count () {
  if (held.size === 0) {
    left = Infinity
    return
  }
  const deadline = Math.min(...[...held.keys()].map(id => seats.get(id)?.deadline ?? Infinity))
  if (deadline === Infinity) return
  const now = Math.max(0, Math.ceil((deadline - performance.now()) / 1000))
  const text = clock(now)
  if ($('countdown').textContent !== text) $('countdown').textContent = text
  $('countdown').dataset.soon = now <= warnAt[0]
  const passed = warnAt.find(s => left > s && now <= s && left !== Infinity)
  if (passed) say('Little time is left: buy, or extend the hold.')
  if (now === 0 && left > 0) refresh() // the service says whether it has ended
  left = now
}

function choose (id) {
  const now = state(id)
  if (asked.has(id)) return
  if (now === 'chosen') {
    chosen.delete(id)
    say(`${id} is no longer chosen.`)
  } else if (now !== 'free') {
    say(tell(id, now) + (now === 'held' ? ' Buy it, or let it go.' : ''))
  } else if (chosen.size + held.size >= most) {
    say(`You can have up to ${most} seats in your basket. Buy or let go of some first.`)
  } else {
    chosen.add(id)
    say(`${id} is chosen; ${chosen.size} in all.`)
  }
  draw()
}

// queue makes a call after those that are under way, for the seats that ids returns then:
// the hall may show the outcome of a call before its answer is here, and a second press
// of a button finds nothing to do.
function queue (call, ids) {
  acting = acting.then(() => act(call, ids()))
}

// act makes a call for seats, and says how it went.
async function act (call, ids) {
  if (ids.length === 0) return
  const focus = document.activeElement
  const before = Math.min(...ids.map(id => seats.get(id)?.deadline ?? Infinity))
  busy = true
  if (call === 'reserve') ids.forEach(id => asked.add(id))
  draw()
  const answer = await send(call, ids, repeating)
  busy = false
  ids.forEach(id => asked.delete(id))
  if (answer.ok) accepted[call](ids, answer, before)
  else refused(call, ids, answer)
  keep()
  refocus(focus)
}

function repeating (attempt, attempts) {
  warn(`No answer from the service. Sending the same request again, ${attempt} of ${attempts - 1}; it can’t happen twice.`)
}

// refocus moves the focus off what is gone. It never moves to a button that buys: a key
// that is pressed twice would press it.
function refocus (was) {
  if (was !== document.body && (!was.isConnected || was.closest('[hidden]'))) {
    if (held.size === 0) return hall.focus()
    $('held-title').focus({ preventScroll: true }) // the basket is in sight, the hall stays where it is
    $('basket').scrollTop = 0
  }
}

function claim (ids, expiresIn) {
  for (const id of ids) {
    const deadline = Math.max(performance.now() + expiresIn, seats.get(id)?.deadline ?? 0)
    seats.set(id, { status: 'Reserved', deadline })
    held.set(id, performance.now())
    chosen.delete(id)
    unsure.delete(id)
  }
}

function own (ids) {
  for (const id of ids) {
    seats.set(id, { status: 'Sold', deadline: 0 })
    held.delete(id)
    bought.add(id)
  }
}

// No sentence names the time that is left: it would stay while the countdown goes on.
const accepted = {
  reserve (ids, answer) {
    claim(ids, answer.expires_in_ms)
    say(`${are(ids, 'held for you')} Buy while time is left.`)
  },
  extend (ids, answer, before) {
    if (answer.status === 'sold') return own(ids)
    claim(ids, answer.expires_in_ms)
    const gained = performance.now() + answer.expires_in_ms - before > 500
    say(gained ? 'The hold is extended.' : 'This hold can’t be extended further now.')
  },
  buy (ids) {
    own(ids)
    say(`${are(ids, 'yours')} Enjoy the evening!`)
  },
  release (ids) {
    // They become free here when the service tells so, like everybody's.
    ids.forEach(id => held.delete(id))
    say(`You have let go of ${list(ids)}.`)
    if (!connected) refresh()
  }
}

function refused (call, ids, problem) {
  const conflicts = problem.conflicts ?? []
  const named = conflicts.map(c => c.seat_id)
  const sentence = conflicts.map(c => `${c.seat_id} is ${{ Sold: 'sold', Reserved: 'held by someone else' }[c.status] ?? 'not held any more'}.`).join(' ')
  switch (problem.code) {
    case 'seat_unavailable': {
      for (const c of conflicts) {
        chosen.delete(c.seat_id)
        seats.set(c.seat_id, { status: c.status, deadline: performance.now() + (c.expires_in_ms ?? 0) })
      }
      const rest = ids.filter(id => !named.includes(id))
      return warn(`${sentence} Nothing was held. ${rest.length ? `${list(rest)} ${rest.length === 1 ? 'stays' : 'stay'} chosen: hold that, or choose another seat too.` : 'Choose another seat.'}`)
    }
    case 'seat_limit':
      return warn(`You may have ${problem.limit} seats at this event; ${problem.held} are held for you and ${problem.sold} are bought. Nothing was held: choose ${Math.max(0, problem.limit - problem.held - problem.sold)} at most.`)
    case 'hold_expired':
    case 'held_by_other':
      named.forEach(id => held.delete(id))
      refresh()
      return warn(`Your hold has ended: ${sentence} ${call === 'buy' ? 'Nothing was bought.' : 'Nothing was extended.'} ${held.size ? 'What you still hold is below.' : 'Choose again.'}`)
    case 'unauthenticated':
      return warn('Seats can only be looked at here: to hold or buy them, sign in at the shop.')
    case 'seat_sold':
      own(named)
      return warn(`${are(named, 'bought by you already')} A sale can’t be let go.`)
    case 'no_answer':
      if (call === 'reserve') ids.forEach(id => unsure.add(id))
  }
  warn(problem.detail ?? 'The service answered what this page does not understand. Nothing here has changed.')
}

// keep notes what is the user's, also what may be, and draws.
function keep () {
  if (restored) remember([...held.keys(), ...unsure], bought)
  draw()
}

// ended takes holds away that are no more.
function ended (ids, sentence) {
  if (ids.length === 0) return
  ids.forEach(id => held.delete(id))
  warn(sentence)
}

const expired = ids => ended(ids, `Your hold on ${list(ids)} has ended, and nothing was bought. Choose again, if it is still free.`)

// lost takes seats from the choice that others were quicker to take; or finds out
// whether it was this very user.
function lost () {
  const gone = [...chosen].filter(id => seats.has(id) && !asked.has(id))
  const mayBeMine = gone.filter(id => unsure.has(id))
  if (mayBeMine.length && !busy) verify(mayBeMine)
  const taken = gone.filter(id => !unsure.has(id))
  if (taken.length === 0) return
  taken.forEach(id => chosen.delete(id))
  warn(`${list(taken)}: just taken by someone else. Choose another seat.`)
}

// verify finds out which of seats that are held or sold are this user's. A reserve of
// what the user holds changes nothing; nor does a release of what is sold.
async function verify (ids) {
  ids.forEach(id => asked.add(id))
  const sold = ids.filter(id => seats.get(id)?.status === 'Sold')
  for (const id of sold) {
    if ((await send('release', [id], repeating)).code === 'seat_sold') own([id])
    else held.delete(id)
  }
  for (const id of ids.filter(id => !sold.includes(id))) {
    const answer = await send('reserve', [id], repeating)
    if (answer.ok) claim([id], answer.expires_in_ms)
    else if (answer.code === 'no_answer') unsure.add(id)
    else unsure.delete(id)
  }
  ids.forEach(id => asked.delete(id))
  lost()
  keep()
}

// restore takes up what this browser remembers of an earlier visit.
async function restore () {
  const noted = remembered()
  noted.bought.filter(id => seats.get(id)?.status === 'Sold').forEach(id => bought.add(id))
  expired(noted.held.filter(id => !seats.has(id)))
  await verify(noted.held.filter(id => seats.has(id) && !bought.has(id)))
  restored = true
  keep()
}

refresh = follow(event, {
  map (all, takenAt) {
    // A map from before a hold was known does not speak against it.
    const newer = [...held].filter(([, since]) => since > takenAt).map(([id]) => [id, seats.get(id)])
    seats = new Map([...all, ...newer])
    expired([...held.keys()].filter(id => !seats.has(id)))
    const sold = [...held.keys()].filter(id => seats.get(id).status === 'Sold' && !asked.has(id))
    if (sold.length && !busy) verify(sold)
    lost()
    restoring ??= restore()
    keep()
  },
  change (type, ids, status, deadline) {
    for (const id of ids) {
      if (status === 'Available') seats.delete(id)
      else seats.set(id, { status, deadline })
    }
    const mine = ids.filter(id => held.has(id))
    if (type === 'expired') expired(mine)
    if (type === 'released' && !busy) ended(mine, `${list(mine)}: let go in another window.`)
    if (type === 'sold') own(mine) // nobody else can have bought them
    lost()
    keep()
  },
  connection (now, fault) {
    const texts = { live: 'Live', polling: 'Updated every second', lost: 'Not connected' }
    if (now === 'lost' && connected) warn(`The connection is lost, and what you see may be out of date. Trying again every second. (${fault})`)
    if (now !== 'lost' && !connected) say('Connected again; the hall is up to date.')
    connected = now !== 'lost'
    $('connection').textContent = texts[now]
    $('connection').dataset.state = now
  }
})

whenRemembered(() => {
  const noted = remembered()
  for (const id of held.keys()) if (!noted.held.includes(id)) held.delete(id)
  for (const id of noted.held) if (!held.has(id) && seats.has(id)) held.set(id, performance.now())
  noted.bought.forEach(id => bought.add(id))
  draw()
})

$('event').textContent = event
$('user').textContent = user
$('hold').addEventListener('click', () => queue('reserve', () => [...chosen]))
for (const call of ['buy', 'extend', 'release']) {
  $(call).addEventListener('click', click => {
    const byKey = click.detail === 0
    if (call === 'buy' && !byKey && tooSoon()) return
    // A call that is under way may hold more seats, which the button did not name.
    const ids = [...held.keys()].slice(0, most)
    queue(call, () => ids.filter(id => held.has(id)))
  })
}
// A machine that slept has missed more than it knows.
document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh() })
setInterval(() => { enable(); count() }, 250)
draw()
