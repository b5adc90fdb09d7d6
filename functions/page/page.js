// The page: it draws the seat map and the basket, and makes the calls of the buttons.
//
// The status of a seat comes from the service, in the order of the changes. Its owner comes
// from the responses to this user's own calls, since the service names no user to others.

import { build, describe, element } from './seatmap.js'
import { subscribe } from './updates.js'
import { event, loadOwnSeats, loadSeats, onSaveElsewhere, saveSeats, send, user } from './session.js'

const maxSeats = 10 // in the basket; one call may name as many
const warnAt = [60, 20] // seconds before a hold ends
const buyDelay = 1000 // ms between a new text on Buy and the first click that buys

const $ = id => document.getElementById(id)
const list = ids => new Intl.ListFormat('en').format(ids)
const are = (ids, what) => `${list(ids)} ${ids.length === 1 ? 'is' : 'are'} ${what}.`
const were = (ids, what) => `${list(ids)} ${ids.length === 1 ? 'was' : 'were'} ${what}.`
const clock = s => `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`

let seats = new Map() // all seats that are not free, as updates.js has them
const chosen = new Set()
const held = new Map() // this user's holds, and when the page learned of each
const bought = new Set()
const reserving = new Set() // seats of a reserve in flight
const unknown = new Set() // seats of a reserve with an unknown outcome
let busy = false
let buyNamedAt = 0 // when the text of Buy last changed
let restoring = null
let restored = false
let secondsLeft = Infinity // as the countdown last showed
let connected = true
let lastCall = Promise.resolve() // of the queue
let reload = () => {}

const load = async file => {
  const response = await fetch('/page/' + file)
  const document = await response.json()
  if (response.ok) return document
  $('alert').textContent = document.detail
  throw new Error(document.detail)
}
const [plan, access] = await Promise.all([load('plan.json?event_id=' + encodeURIComponent(event)), load('settings.json')])
const rows = plan.zones.flatMap(zone => zone.rows.map(row => ({ label: row.label, seat_ids: row.ids })))
const seatMap = build($('seatmap'), rows, choose)

// What a page without a token can't do, if the service has roles.
const noHold = 'You can only look at seats here. To hold or buy them, sign in at the shop.'
const noSale = 'This page can’t sell seats: a sale needs a seller’s token, and only the shop’s back end has one. Pay for your seats in the shop.'

function state (id) {
  if (bought.has(id)) return 'bought'
  if (held.has(id)) return 'held'
  const status = seats.get(id)?.status
  if (status === 'Sold') return 'sold'
  if (chosen.has(id)) return 'chosen'
  return status ? 'taken' : 'free'
}

// say shows a sentence. Screen readers read it, at once if it is urgent.
function say (sentence, urgent = false) {
  $('status').textContent = urgent ? '' : sentence
  $('alert').textContent = urgent ? sentence : ''
}

const warn = sentence => say(sentence, true)

function draw () {
  for (const id of seatMap.ids) seatMap.show(id, state(id))
  const free = seatMap.ids.filter(id => !seats.has(id) && !held.has(id) && !bought.has(id)).length
  $('free').textContent = `${free} of ${seatMap.ids.length} free`
  drawChips($('held'), held.keys(), 'Release', id => queue('release', () => [id].filter(id => held.has(id))))
  drawChips($('chosen'), chosen, 'Remove', choose)
  $('bought').textContent = list([...bought])
  $('hold').textContent = chosen.size === 1 ? 'Hold 1 seat' : `Hold ${chosen.size} seats`
  const offer = held.size === 1 ? 'Buy 1 seat' : `Buy ${held.size} seats`
  if ($('buy').textContent !== offer) {
    $('buy').textContent = offer
    buyNamedAt = performance.now()
  }
  $('held-part').hidden = held.size === 0
  $('chosen-part').hidden = chosen.size === 0
  $('bought-part').hidden = bought.size === 0
  $('hint').hidden = access.hold && held.size + chosen.size > 0
  enable()
  countDown()
}

// tooSoon reports whether a click on Buy may be meant for the button that was there before:
// the second click of a double click on Hold lands on Buy.
const tooSoon = () => performance.now() - buyNamedAt < buyDelay

function enable () {
  for (const id of ['hold', 'extend', 'release']) $(id).ariaDisabled = busy ? 'true' : null
  $('buy').ariaDisabled = busy || tooSoon() ? 'true' : null
}

function drawChips (parent, ids, action, press) {
  const wanted = [...ids]
  if (wanted.join() === [...parent.children].map(li => li.dataset.seat).join()) return
  const focused = parent.contains(document.activeElement)
  parent.replaceChildren(...wanted.map(id => {
    const button = element('button', { type: 'button', textContent: id + ' ✕', ariaLabel: `${action} ${id}` })
    button.addEventListener('click', () => press(id))
    const item = element('li', {})
    item.dataset.seat = id
    item.append(button)
    return item
  }))
  // The focus doesn't move to the next chip: a second key press would remove that one, too.
  if (focused) (wanted.length ? parent.previousElementSibling : seatMap).focus()
}

// countDown shows the time until the first hold ends. It warns at each time of warnAt.
function countDown () {
  if (held.size === 0) {
    secondsLeft = Infinity
    return
  }
  const deadline = Math.min(...[...held.keys()].map(id => seats.get(id)?.deadline ?? Infinity))
  if (deadline === Infinity) return
  const now = Math.max(0, Math.ceil((deadline - performance.now()) / 1000))
  const text = clock(now)
  if ($('countdown').textContent !== text) $('countdown').textContent = text
  $('countdown').dataset.soon = now <= warnAt[0]
  const passed = warnAt.find(s => secondsLeft > s && now <= s && secondsLeft !== Infinity)
  if (passed) say(access.sell ? 'Your hold ends soon. Buy now, or extend it.' : 'Your hold ends soon. Pay for it in the shop now, or extend it.')
  if (now === 0 && secondsLeft > 0) reload() // the service decides whether the hold has ended
  secondsLeft = now
}

function choose (id) {
  const now = state(id)
  if (reserving.has(id)) return
  if (now === 'chosen') {
    chosen.delete(id)
    say(`${id} is no longer chosen.`)
  } else if (now !== 'free') {
    say(describe(id, now) + (now !== 'held' ? '' : access.sell ? ' Buy it or release it.' : ' Pay for it in the shop, or release it.'))
  } else if (chosen.size + held.size >= maxSeats) {
    say(`You can hold up to ${maxSeats} seats at a time. Buy or release some first.`)
  } else {
    chosen.add(id)
    say(`${id} is chosen. Seats chosen: ${chosen.size}.`)
  }
  draw()
}

// queue makes a call after the calls before it. ids returns the seats at that time, because
// a change may arrive before the response that belongs to it. A second press then finds
// nothing to do.
function queue (call, ids) {
  lastCall = lastCall.then(() => make(call, ids()))
}

// make makes a call for seats and shows its result.
async function make (call, ids) {
  if (ids.length === 0) return
  const focus = document.activeElement
  const before = Math.min(...ids.map(id => seats.get(id)?.deadline ?? Infinity))
  busy = true
  if (call === 'reserve') ids.forEach(id => reserving.add(id))
  draw()
  const response = await send(call, ids, warnOfRetry)
  busy = false
  ids.forEach(id => reserving.delete(id))
  if (response.ok) succeeded[call](ids, response, before)
  else refused(call, ids, response)
  save()
  refocus(focus)
}

function warnOfRetry (attempt, maxAttempts) {
  warn(`No answer yet. Trying again (${attempt} of ${maxAttempts - 1}). It can’t happen twice.`)
}

// refocus moves the focus if its element is gone. It never moves it to a button that buys,
// because a second key press would press that button.
function refocus (previous) {
  if (previous !== document.body && (!previous.isConnected || previous.closest('[hidden]'))) {
    if (held.size === 0) return seatMap.focus()
    $('held-title').focus({ preventScroll: true }) // the basket is visible, so the seat map need not scroll
    $('basket').scrollTop = 0
  }
}

function markHeld (ids, expiresIn) {
  for (const id of ids) {
    const deadline = Math.max(performance.now() + expiresIn, seats.get(id)?.deadline ?? 0)
    seats.set(id, { status: 'Reserved', deadline })
    held.set(id, performance.now())
    chosen.delete(id)
    unknown.delete(id)
  }
}

function markBought (ids) {
  for (const id of ids) {
    seats.set(id, { status: 'Sold', deadline: 0 })
    held.delete(id)
    bought.add(id)
  }
}

// succeeded has a function for each call. Its sentences contain no time: they stay on the
// page while the countdown runs.
const succeeded = {
  reserve (ids, response) {
    markHeld(ids, response.expires_in_ms)
    say(`${are(ids, 'held for you')} ${access.sell ? 'Buy' : 'Pay in the shop'} before the time is up.`)
  },
  extend (ids, response, before) {
    if (response.status === 'sold') return markBought(ids)
    markHeld(ids, response.expires_in_ms)
    const gained = performance.now() + response.expires_in_ms - before > 500
    say(gained ? 'Your hold is extended.' : 'Your hold can’t be extended further now.')
  },
  buy (ids) {
    markBought(ids)
    say(`${are(ids, 'yours')} Enjoy the evening!`)
  },
  release (ids) {
    // The seats become free on this page with the change, as on every other page.
    ids.forEach(id => held.delete(id))
    say(`You released ${list(ids)}.`)
    if (!connected) reload()
  }
}

function refused (call, ids, problem) {
  const conflicts = problem.conflicts ?? []
  const named = conflicts.map(c => c.seat_id)
  const sentence = conflicts.map(c => `${c.seat_id} is ${{ Sold: 'sold', Reserved: 'held by someone else', Blocked: 'not for sale' }[c.status] ?? 'no longer held'}.`).join(' ')
  switch (problem.code) {
    case 'seat_unavailable': {
      for (const c of conflicts) {
        chosen.delete(c.seat_id)
        seats.set(c.seat_id, { status: c.status, deadline: performance.now() + (c.expires_in_ms ?? 0) })
      }
      const rest = ids.filter(id => !named.includes(id))
      const stay = rest.length === 1 ? 'stays chosen: hold it' : 'stay chosen: hold them'
      return warn(`${sentence} Nothing was held. ${rest.length ? `${list(rest)} ${stay}, or choose another seat as well.` : 'Choose another seat.'}`)
    }
    case 'already_yours':
      markBought(named)
      named.forEach(id => chosen.delete(id))
      return warn(`You have already bought ${list(named)}. Nothing was held.${chosen.size ? ` ${list([...chosen])} ${chosen.size === 1 ? 'stays' : 'stay'} chosen.` : ''}`)
    case 'seat_limit':
      return warn(`You can have ${problem.limit} seats at this event. You hold ${problem.held} and have bought ${problem.sold}. Nothing was held. You can hold ${Math.max(0, problem.limit - problem.held - problem.sold)} more.`)
    case 'hold_expired':
    case 'held_by_other':
      named.forEach(id => held.delete(id))
      reload()
      return warn(`Your hold has ended. ${sentence} ${call === 'buy' ? 'Nothing was bought.' : 'Nothing was extended.'} ${held.size ? 'Your other holds are below.' : 'Choose again.'}`)
    case 'unauthenticated':
    case 'forbidden':
      return warn(call === 'buy' ? noSale : noHold)
    case 'seat_sold':
      markBought(named)
      return warn(`You have already bought ${list(named)}. Bought seats can’t be released.`)
    case 'no_answer':
      if (call === 'reserve') ids.forEach(id => unknown.add(id))
  }
  warn(problem.detail ?? 'Something went wrong. Nothing on this page has changed.')
}

// save stores the user's seats, unknown ones included, and draws.
function save () {
  if (restored) saveSeats([...held.keys(), ...unknown], bought)
  draw()
}

// dropHeld removes holds that have ended.
function dropHeld (ids, sentence) {
  if (ids.length === 0) return
  ids.forEach(id => held.delete(id))
  warn(sentence)
}

const dropExpired = ids => dropHeld(ids, `Your hold on ${list(ids)} has ended. Nothing was bought. You can choose again.`)

// dropTaken removes seats from the choice if others hold or bought them. It first verifies
// seats with an unknown outcome: the owner may be this user.
function dropTaken () {
  const gone = [...chosen].filter(id => seats.has(id) && !reserving.has(id))
  const uncertain = gone.filter(id => unknown.has(id))
  if (uncertain.length && !busy) verify(uncertain)
  const taken = gone.filter(id => !unknown.has(id))
  if (taken.length === 0) return
  taken.forEach(id => chosen.delete(id))
  warn(`${were(taken, 'just taken by someone else')} Choose another seat.`)
}

// verify finds out which of the held or sold seats are this user's. It uses calls that change
// nothing: reserve of the user's own hold, and release of a sold seat.
async function verify (ids) {
  ids.forEach(id => reserving.add(id))
  const sold = ids.filter(id => seats.get(id)?.status === 'Sold')
  for (const id of sold) {
    if ((await send('release', [id], warnOfRetry)).code === 'seat_sold') markBought([id])
    else held.delete(id)
  }
  for (const id of ids.filter(id => !sold.includes(id))) {
    const response = await send('reserve', [id], warnOfRetry)
    if (response.ok) markHeld([id], response.expires_in_ms)
    else if (response.code === 'already_yours') markBought([id])
    else if (response.code === 'no_answer') unknown.add(id)
    else unknown.delete(id)
  }
  ids.forEach(id => reserving.delete(id))
  dropTaken()
  save()
}

// restore shows the seats that the user has, and says which holds of an earlier visit have ended.
// Without an answer, the next seat map brings another attempt.
async function restore () {
  const own = await loadOwnSeats()
  if (own === null) {
    restoring = null
    return setTimeout(() => reload(), 1000)
  }
  for (const seat of own) {
    if (seat.status === 'Sold') markBought([seat.seat_id])
    else if (!held.has(seat.seat_id)) markHeld([seat.seat_id], seat.expires_in_ms)
  }
  dropExpired(loadSeats().held.filter(id => !held.has(id) && !bought.has(id)))
  restored = true
  save()
}

reload = subscribe(event, {
  map (all, readAt) {
    // A map can't end a hold that the page learned of later.
    const newer = [...held].filter(([, since]) => since > readAt).map(([id]) => [id, seats.get(id)])
    seats = new Map([...all, ...newer])
    dropExpired([...held.keys()].filter(id => !seats.has(id)))
    const sold = [...held.keys()].filter(id => seats.get(id).status === 'Sold' && !reserving.has(id))
    if (sold.length && !busy) verify(sold)
    dropTaken()
    restoring ??= restore()
    save()
  },
  change (type, ids, status, deadline) {
    for (const id of ids) {
      if (status === 'Available') seats.delete(id)
      else seats.set(id, { status, deadline })
    }
    const own = ids.filter(id => held.has(id))
    if (type === 'expired') dropExpired(own)
    if (type === 'released' && !busy) dropHeld(own, were(own, 'released in another window'))
    if (type === 'sold') markBought(own) // only the holder can buy
    dropTaken()
    save()
  },
  connection (now, fault) {
    const texts = { live: 'Live', polling: 'Updated every second', lost: 'Not connected' }
    if (now === 'lost' && connected) warn(`Connection lost. The seats may be out of date. Trying again every second. (${fault})`)
    if (now !== 'lost' && !connected) say('Connected again. The seats are up to date.')
    connected = now !== 'lost'
    $('connection').textContent = texts[now]
    $('connection').dataset.state = now
  }
})

onSaveElsewhere(() => {
  const stored = loadSeats()
  for (const id of held.keys()) if (!stored.held.includes(id)) held.delete(id)
  for (const id of stored.held) if (!held.has(id) && seats.has(id)) held.set(id, performance.now())
  stored.bought.forEach(id => bought.add(id))
  draw()
})

if (!access.hold) $('hint').textContent = noHold
$('no-sale').textContent = noSale
$('no-sale').hidden = access.sell
$('buy').hidden = !access.sell
$('hold').hidden = !access.hold
$('event').textContent = event
$('user').textContent = user
$('hold').addEventListener('click', () => queue('reserve', () => [...chosen]))
for (const call of ['buy', 'extend', 'release']) {
  $(call).addEventListener('click', click => {
    const byKey = click.detail === 0
    if (call === 'buy' && !byKey && tooSoon()) return
    // These seats, because a call in flight may hold others that the button didn't name.
    const ids = [...held.keys()].slice(0, maxSeats)
    queue(call, () => ids.filter(id => held.has(id)))
  })
}
// A device that slept has missed changes.
document.addEventListener('visibilitychange', () => { if (!document.hidden) reload() })
setInterval(() => { enable(); countDown() }, 250)
draw()
