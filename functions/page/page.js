// The page: it draws the seat map and the basket, and makes the calls of the buttons.
//
// The status of a seat comes from the service, in the order of the changes. Its owner comes
// from the responses to this user's own calls, since the service names no user to others.

import { byId } from './dom.js'
import { build, describe } from './seatmap.js'
import { createNames } from './names.js'
import { createBest } from './best.js'
import { drawSeats } from './basket.js'
import { tellParent } from './embed.js'
import { subscribe } from './updates.js'
import { event, loadOwnSeats, loadSeats, onSaveElsewhere, saveSeats, send, user } from './session.js'

const warnAt = [60, 20] // seconds before a hold ends
const buyDelay = 1000 // ms between a new text on Buy and the first click that buys, and between two searches

const are = ids => `${names.namesOf(ids)} ${ids.length === 1 ? 'is' : 'are'}`
const were = ids => `${names.namesOf(ids)} ${ids.length === 1 ? 'was' : 'were'}`
const seatsOf = n => n === 1 ? '1 seat' : `${n.toLocaleString()} seats`
const two = n => String(n).padStart(2, '0')
const clock = s => s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' })

// The seats whose state on the map may have changed since the last draw.
const dirty = new Set()
class SeatSet extends Set {
  add (id) { dirty.add(id); return super.add(id) }
  delete (id) { dirty.add(id); return super.delete(id) }
}
class SeatTable extends Map {
  set (id, value) { dirty.add(id); return super.set(id, value) }
  delete (id) { dirty.add(id); return super.delete(id) }
}

const seats = new SeatTable() // all seats that are not free, as updates.js has them
const chosen = new SeatSet()
const held = new SeatTable() // this user's holds, and when the page learned of each
const bought = new SeatSet()
const reserving = new SeatSet() // seats of a reserve in flight
const unknown = new Set() // seats of a reserve with an unknown outcome
let busy = '' // the call in flight
let buyNamedAt = 0 // when the text of Buy last changed
let foundAt = -Infinity // when the last reserve-best was queued
let restoring = null
let restored = false
let secondsLeft = Infinity // as the countdown last showed
let connected = true
let lastCall = Promise.resolve() // of the queue
let drawSoon = 0
let updates = { reload () {}, moment: () => NaN }

// fail replaces the seat map by a sentence: there is nothing to choose from.
function fail (sentence) {
  byId('seatmap').replaceChildren(Object.assign(document.createElement('p'), { className: 'loading', textContent: sentence }))
  byId('basket').hidden = true
  byId('connection').hidden = true
  throw new Error(sentence)
}

async function load (path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(30000) }).catch(() => null)
  const document = await response?.json().catch(() => null)
  if (response?.ok && document) return document
  if (response?.status === 404 || response?.status === 422) fail(`There is no event “${event}”. Look for a typing error in the address of this page, or ask the shop for the right link.`)
  fail('The hall can’t be loaded right now. Reload the page in a moment.')
}

const query = '?event_id=' + encodeURIComponent(event)
const [plan, settings] = await Promise.all([load('/page/plan.json' + query), load('/page/settings.json' + query)])
const about = settings.event ?? {}
byId('loading').remove()
const seatMap = build(byId('seatmap'), plan, choose)
const names = createNames(plan, seatMap)
const best = createBest(plan, settings.max_seats, find)

// What a page without a token can't do, if the service has roles.
const noHold = 'You can only look at seats here. To hold or buy them, sign in at the shop.'
const noSale = 'This page can’t sell seats: a sale needs a seller’s token, and only the shop’s back end has one. Pay for your seats in the shop.'
const demonstration = 'This is a demonstration: Buy sells the seats at once, without payment.'
const pay = settings.checkout_url ? 'Go to the checkout' : settings.sell ? 'Buy' : 'Pay in the shop'

function state (id) {
  if (bought.has(id)) return 'bought'
  if (held.has(id)) return 'held'
  const status = seats.get(id)?.status
  if (status === 'Sold') return 'sold'
  if (status === 'Blocked') return 'blocked'
  if (chosen.has(id)) return 'chosen'
  return status ? 'taken' : 'free'
}

// say shows a sentence. Screen readers read it, at once if it is urgent.
function say (sentence, urgent = false) {
  byId('status').textContent = urgent ? '' : sentence
  byId('alert').textContent = urgent ? sentence : ''
}

const warn = sentence => say(sentence, true)

// draw shows what has changed.
function draw () {
  cancelAnimationFrame(drawSoon)
  drawSoon = 0
  seatMap.show([...dirty].map(id => [id, state(id)]))
  dirty.clear()
  byId('free').textContent = seatMap.ids.length ? `${seatMap.free.toLocaleString()} of ${seatMap.ids.length.toLocaleString()} free` : ''
  const lists = [
    ['held', held.keys(), 'Release', id => queue('release', () => [id].filter(id => held.has(id)))],
    ['chosen', chosen, 'Remove', choose],
    ['bought', bought]
  ]
  for (const [list, ids, action, press] of lists) {
    const focused = drawSeats(list, ids, names, action, press)
    // The focus doesn't move to the next seat: a second key press would remove that one, too.
    if (focused) (byId(list).children.length ? byId(list).previousElementSibling : seatMap).focus()
  }
  byId('hold').textContent = `Hold ${seatsOf(chosen.size)}`
  const offer = settings.checkout_url ? `Go to the checkout with ${seatsOf(held.size)}` : `Buy ${seatsOf(held.size)}`
  if (byId('buy').textContent !== offer) {
    byId('buy').textContent = offer
    buyNamedAt = performance.now()
  }
  byId('held-part').hidden = held.size === 0
  byId('chosen-part').hidden = chosen.size === 0
  byId('bought-part').hidden = bought.size === 0
  byId('best').hidden = !settings.hold || !plan.zones.length && !plan.areas.length || chosen.size > 0
  byId('hint').hidden = settings.hold && held.size + chosen.size + bought.size > 0
  enable()
  countDown()
  if (restored) {
    const left = Math.min(...[...held.keys()].map(id => seats.get(id)?.deadline ?? Infinity)) - performance.now()
    tellParent({ event_id: event, user_id: user, held: [...held.keys()], bought: [...bought], ...held.size && left < Infinity && { expires_in_ms: Math.max(0, Math.round(left)) } })
  }
}

// drawLater draws with the next frame: many changes share it.
function drawLater () {
  drawSoon ||= requestAnimationFrame(draw)
}

// tooSoon reports whether a click on Buy may be meant for the button that was there before:
// the second click of a double click on Hold lands on Buy.
const tooSoon = () => performance.now() - buyNamedAt < buyDelay
const foundJustNow = () => performance.now() - foundAt < buyDelay

const opensIn = () => about.on_sale_at ? (updates.moment(about.on_sale_at) - performance.now()) / 1000 : 0
const hasEnded = () => about.off_sale_at ? updates.moment(about.off_sale_at) <= performance.now() : false

function enable () {
  const closed = opensIn() > 0 || hasEnded()
  const buttons = { hold: 'reserve', find: 'reserve-best', extend: 'extend', release: 'release', buy: 'buy' }
  for (const [id, call] of Object.entries(buttons)) {
    const disabled = busy || (id === 'buy' && tooSoon()) || (id === 'find' && foundJustNow()) || (closed && (id === 'hold' || id === 'find'))
    byId(id).ariaDisabled = disabled ? 'true' : null
    byId(id).ariaBusy = busy === call ? 'true' : null
  }
}

// countDown shows the time until the first hold ends, and until the sale opens. It warns at each time of
// warnAt.
function countDown () {
  const wait = Math.ceil(opensIn())
  const opening = wait > 0
    ? `The sale opens on ${dateTime.format(new Date(about.on_sale_at))}, in ${clock(wait)}. Stay on this page.`
    : hasEnded() ? 'The sale has ended.' : ''
  if (byId('opening').textContent !== opening) {
    if (byId('opening').textContent && !opening) say('The sale is open. Choose your seats.')
    byId('opening').textContent = opening
    byId('opening').hidden = opening === ''
  }
  if (held.size === 0) {
    secondsLeft = Infinity
    return
  }
  const deadline = Math.min(...[...held.keys()].map(id => seats.get(id)?.deadline ?? Infinity))
  if (deadline === Infinity) return
  const now = Math.max(0, Math.ceil((deadline - performance.now()) / 1000))
  const text = clock(now)
  if (byId('countdown').textContent !== text) byId('countdown').textContent = text
  byId('countdown').parentElement.dataset.soon = now <= warnAt[0]
  const passed = warnAt.find(s => secondsLeft > s && now <= s && secondsLeft !== Infinity)
  if (passed) say(`Your hold ends soon. ${pay} now, or extend it.`)
  if (now === 0 && secondsLeft > 0) updates.reload() // the service decides whether the hold has ended
  secondsLeft = now
}

function choose (id) {
  const now = state(id)
  const name = names.nameOf(id)
  if (reserving.has(id)) return
  if (now === 'chosen') {
    chosen.delete(id)
    say(`${name} is no longer chosen.`)
  } else if (now !== 'free') {
    say(describe(name, now) + (now === 'held' ? ` ${pay}, or give it back.` : ''))
  } else if (!settings.hold) {
    say(noHold)
  } else if (chosen.size + held.size >= settings.max_seats) {
    say(`You can hold up to ${seatsOf(settings.max_seats)} at a time. Buy or give back some first.`)
  } else {
    chosen.add(id)
    say(`${name} is chosen. Seats chosen: ${chosen.size}.`)
  }
  draw()
}

// queue makes a call after the calls before it. ids returns the seats at that time, because
// a change may arrive before the response that belongs to it. A second press then finds
// nothing to do. For reserve-best, ids returns the members of the body.
function queue (call, ids) {
  lastCall = lastCall.then(() => call === 'reserve-best' ? makeBest(ids()) : make(call, ids()))
}

// find holds the best seats. The second click of a double click does not hold others.
function find (members) {
  if (busy || foundJustNow()) return
  foundAt = performance.now()
  queue('reserve-best', () => members)
}

// make makes a call for seats and shows its result.
async function make (call, ids) {
  if (ids.length === 0) return
  const before = Math.min(...ids.map(id => seats.get(id)?.deadline ?? Infinity))
  if (call === 'reserve') ids.forEach(id => reserving.add(id))
  const [focus, response] = await sendBusy(call, { seat_ids: ids })
  ids.forEach(id => reserving.delete(id))
  if (response.ok) succeeded[call](ids, response, before)
  else refused(call, ids, response)
  save()
  refocus(focus)
}

// makeBest holds the best seats, and shows which.
async function makeBest (members) {
  if (held.size + members.quantity > settings.max_seats) {
    return warn(`You can hold up to ${seatsOf(settings.max_seats)} at a time, and hold ${held.size}. Look for fewer, or give back some first.`)
  }
  const [focus, response] = await sendBusy('reserve-best', members, true)
  if (response.ok) {
    markHeld(response.seat_ids, response.expires_in_ms)
    const apart = members.adjacent && !response.adjacent ? ' They are not next to one another.' : ''
    say(`${are(response.seat_ids)} held for you.${apart} ${pay} before the time is up.`)
    seatMap.reveal(response.seat_ids[0])
  } else refusedBest(members, response)
  save()
  refocus(focus)
}

// sendBusy makes a call, and shows meanwhile that it is under way. It returns the element that had the
// focus before, and the response.
async function sendBusy (call, members, withKey) {
  const focus = document.activeElement
  busy = call
  draw()
  const response = await send(call, members, warnOfRetry, withKey)
  busy = ''
  return [focus, response]
}

function warnOfRetry (attempt, maxAttempts) {
  warn(`No answer yet. Trying again (${attempt} of ${maxAttempts - 1}). It can’t happen twice.`)
}

// refocus moves the focus if its element is gone. It never moves it to a button that buys,
// because a second key press would press that button.
function refocus (previous) {
  if (previous !== document.body && (!previous.isConnected || previous.closest('[hidden]'))) {
    if (held.size === 0) return seatMap.focus()
    byId('held-title').focus({ preventScroll: true }) // the basket is visible, so the seat map need not scroll
    byId('basket').scrollTop = 0
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
    chosen.delete(id)
    bought.add(id)
  }
}

// succeeded has a function for each call. Its sentences contain no time: they stay on the
// page while the countdown runs.
const succeeded = {
  reserve (ids, response) {
    markHeld(ids, response.expires_in_ms)
    say(`${are(ids)} held for you. ${pay} before the time is up.`)
  },
  extend (ids, response, before) {
    if (response.status === 'sold') return markBought(ids)
    markHeld(ids, response.expires_in_ms)
    const gained = performance.now() + response.expires_in_ms - before > 500
    say(gained ? 'Your hold is extended.' : 'Your hold can’t be extended further now.')
  },
  buy (ids) {
    markBought(ids)
    say(`${are(ids)} yours. Enjoy the evening!`)
  },
  release (ids) {
    // The seats become free on this page with the change, as on every other page.
    ids.forEach(id => held.delete(id))
    say(`You released ${names.namesOf(ids)}.`)
    if (!connected) updates.reload()
  }
}

// refusedForAll shows a refusal that every call may get. It reports false for any other.
function refusedForAll (call, problem) {
  switch (problem.code) {
    case 'seat_limit':
      warn(`You can have ${seatsOf(problem.limit)} at this event. You hold ${problem.held} and have bought ${problem.sold}. Nothing was held. You can hold ${Math.max(0, problem.limit - problem.held - problem.sold)} more.`)
      return true
    case 'not_on_sale':
      if (problem.on_sale_at) about.on_sale_at = problem.on_sale_at
      warn(problem.detail)
      return true
    case 'unauthenticated':
    case 'forbidden':
      warn(call === 'buy' ? noSale : noHold)
      return true
  }
  return false
}

function refusedBest (members, problem) {
  if (refusedForAll('reserve-best', problem)) return
  switch (problem.code) {
    case 'no_adjacent_seats':
      if (problem.largest_block > 0) best.offer(problem.largest_block, true)
      else best.offer(members.quantity, false)
      return warn(`There are no ${seatsOf(members.quantity)} next to one another there. ${problem.largest_block > 0
        ? `The largest group is ${problem.largest_block}: find these instead, or look elsewhere.`
        : 'Allow seats that are apart, or look elsewhere.'}`)
    case 'sold_out':
      return warn('Nothing is free there now. Seats come back when holds end: try again, or look elsewhere.')
    case 'no_answer': // some seats may be held
      restoring = null
      updates.reload()
  }
  warn(problem.detail ?? 'Something went wrong. Nothing on this page has changed.')
}

function refused (call, ids, problem) {
  if (refusedForAll(call, problem)) return
  const conflicts = problem.conflicts ?? []
  const named = conflicts.map(c => c.seat_id)
  const sentence = conflicts.map(c => `${names.nameOf(c.seat_id)} is ${{ Sold: 'sold', Reserved: 'held by someone else', Blocked: 'not for sale' }[c.status] ?? 'no longer held'}.`).join(' ')
  switch (problem.code) {
    case 'seat_unavailable': {
      for (const c of conflicts) {
        chosen.delete(c.seat_id)
        seats.set(c.seat_id, { status: c.status, deadline: performance.now() + (c.expires_in_ms ?? 0) })
      }
      const rest = ids.filter(id => !named.includes(id))
      const stay = rest.length === 1 ? 'stays chosen: hold it' : 'stay chosen: hold them'
      return warn(`${sentence} Nothing was held. ${rest.length ? `${names.namesOf(rest)} ${stay}, or choose another seat as well.` : 'Choose another seat.'}`)
    }
    case 'already_yours':
      markBought(named)
      return warn(`You have already bought ${names.namesOf(named)}. Nothing was held.${chosen.size ? ` ${names.namesOf([...chosen])} ${chosen.size === 1 ? 'stays' : 'stay'} chosen.` : ''}`)
    case 'hold_expired':
    case 'held_by_other':
      named.forEach(id => held.delete(id))
      updates.reload()
      return warn(`Your hold has ended. ${sentence} ${call === 'buy' ? 'Nothing was bought.' : 'Nothing was extended.'} ${held.size ? 'Your other holds are below.' : 'Choose again.'}`)
    case 'seat_sold':
      markBought(named)
      return warn(`You have already bought ${names.namesOf(named)}. Bought seats can’t be released.`)
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

const dropExpired = ids => dropHeld(ids, `Your hold on ${names.namesOf(ids)} has ended. Nothing was bought. You can choose again.`)

// dropTaken removes seats from the choice if others hold or bought them. It first verifies
// seats with an unknown outcome: the owner may be this user.
function dropTaken () {
  const gone = [...chosen].filter(id => seats.has(id) && !reserving.has(id))
  const uncertain = gone.filter(id => unknown.has(id))
  if (uncertain.length && !busy) verify(uncertain)
  const taken = gone.filter(id => !unknown.has(id))
  if (taken.length === 0) return
  taken.forEach(id => chosen.delete(id))
  warn(`${were(taken)} just taken by someone else. Choose another seat.`)
}

// verify finds out which of the held or sold seats are this user's. It uses calls that change
// nothing: reserve of the user's own hold, and release of a sold seat.
async function verify (ids) {
  ids.forEach(id => reserving.add(id))
  const sold = ids.filter(id => seats.get(id)?.status === 'Sold')
  for (const id of sold) {
    if ((await send('release', { seat_ids: [id] }, warnOfRetry)).code === 'seat_sold') markBought([id])
    else held.delete(id)
  }
  for (const id of ids.filter(id => !sold.includes(id))) {
    const response = await send('reserve', { seat_ids: [id] }, warnOfRetry)
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
    return setTimeout(() => updates.reload(), 1000)
  }
  for (const seat of own) {
    if (seat.status === 'Sold') markBought([seat.seat_id])
    else if (!held.has(seat.seat_id)) markHeld([seat.seat_id], seat.expires_in_ms)
  }
  dropExpired(loadSeats().held.filter(id => !held.has(id) && !bought.has(id)))
  restored = true
  save()
}

updates = subscribe(event, {
  map (all, readAt) {
    // A map can't end a hold that the page learned of later.
    for (const [id, since] of held) if (since > readAt && !all.has(id)) all.set(id, seats.get(id))
    for (const id of seats.keys()) if (!all.has(id)) seats.delete(id)
    for (const [id, seat] of all) {
      const known = seats.get(id)
      if (known?.status !== seat.status || held.has(id)) seats.set(id, seat)
    }
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
    if (type === 'released' && !busy) dropHeld(own, `${were(own)} released in another window.`)
    if (type === 'sold') markBought(own) // only the holder can buy
    if (type === 'returned' || type === 'exchanged') ids.forEach(id => bought.delete(id))
    dropTaken()
    if (own.length && restored) saveSeats([...held.keys(), ...unknown], bought)
    drawLater()
  },
  connection (now, fault) {
    const texts = { live: 'Live', polling: 'Updated every second', lost: 'Not connected' }
    if (now === 'lost' && connected) warn(`Connection lost. The seats may be out of date. Trying again every second. (${fault})`)
    if (now !== 'lost' && !connected) say('Connected again. The seats are up to date.')
    connected = now !== 'lost'
    byId('connection').textContent = texts[now]
    byId('connection').dataset.state = now
  }
})

onSaveElsewhere(() => {
  const stored = loadSeats()
  for (const id of held.keys()) if (!stored.held.includes(id)) held.delete(id)
  for (const id of stored.held) if (!held.has(id) && seats.has(id)) held.set(id, performance.now())
  stored.bought.forEach(id => bought.add(id))
  draw()
})

// checkout leads to the shop, with the held seats.
function checkout (ids) {
  const values = { event_id: event, seat_ids: ids.join(','), user_id: user }
  const address = settings.checkout_url.replace(/\{(event_id|seat_ids|user_id)\}/g, (_, name) => encodeURIComponent(values[name]))
  open(address, parent === window ? '_self' : '_top')
}

const title = about.title ?? (event === 'default' ? 'Choose your seats' : event)
byId('title').textContent = title
document.title = about.title ? `${about.title}: choose your seats` : 'Choose your seats'
if (about.starts_at) {
  byId('starts').textContent = dateTime.format(new Date(about.starts_at))
  byId('starts').hidden = false
}
if (!settings.hold) byId('hint').textContent = noHold
byId('sale-note').textContent = settings.sell ? demonstration : noSale
byId('sale-note').hidden = Boolean(settings.checkout_url)
byId('buy').hidden = !settings.sell && !settings.checkout_url
byId('hold').hidden = !settings.hold
byId('hold').addEventListener('click', () => { if (!byId('hold').ariaDisabled) queue('reserve', () => [...chosen]) })
for (const call of ['buy', 'extend', 'release']) {
  byId(call).addEventListener('click', click => {
    const byKey = click.detail === 0
    if (call === 'buy' && !byKey && tooSoon()) return
    // These seats, because a call in flight may hold others that the button didn't name.
    const ids = [...held.keys()].slice(0, settings.max_seats)
    if (call === 'buy' && settings.checkout_url) return checkout(ids)
    queue(call, () => ids.filter(id => held.has(id)))
  })
}
// A device that slept has missed changes.
document.addEventListener('visibilitychange', () => { if (!document.hidden) updates.reload() })
setInterval(() => { enable(); countDown() }, 250)
draw()
