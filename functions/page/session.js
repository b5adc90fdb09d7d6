// The buyer of this page: the user id, the seats that this browser stores, and the calls.

const maxAttempts = 5
const retryStatuses = [502, 503, 504]
const parameters = new URLSearchParams(location.search)

// memory replaces localStorage if the browser denies access to it.
const memory = {}

function read (key) {
  try { return localStorage.getItem(key) } catch { return memory[key] ?? null }
}

function write (key, value) {
  memory[key] = value
  try { localStorage.setItem(key, value) } catch { /* memory has it */ }
}

const random = bytes => Array.from(crypto.getRandomValues(new Uint8Array(bytes)), n => n.toString(16).padStart(2, '0')).join('')

// identify returns the user id: the parameter user_id, the stored id, or a new random one.
function identify () {
  const requested = parameters.get('user_id')
  const known = requested !== null && /^[!-~]{1,128}$/.test(requested) ? requested : read('booking:user')
  const user = known ?? random(8)
  write('booking:user', user)
  return user
}

export const event = parameters.get('event_id') ?? 'default'
export const user = identify()

const key = `booking:${event}:${user}`

// loadSeats returns the stored seats of the user. A hold may have ended since.
export function loadSeats () {
  try {
    const { held, bought } = JSON.parse(read(key))
    return { held, bought }
  } catch {
    return { held: [], bought: [] }
  }
}

export function saveSeats (held, bought) {
  write(key, JSON.stringify({ held: [...held], bought: [...bought] }))
}

// onSaveElsewhere calls back when another tab of the same user has saved seats.
export function onSaveElsewhere (callback) {
  addEventListener('storage', e => { if (e.key === key) callback() })
}

// loadOwnSeats returns what the user holds and has bought, as the answer of the holdings call has
// it. It includes each call that has ended; the seat map may be older. It returns no seats to a
// page that may not ask, and null without an answer.
export async function loadOwnSeats () {
  try {
    const query = new URLSearchParams({ event_id: event })
    const response = await fetch(`/users/${encodeURIComponent(user)}/seats?${query}`, { cache: 'no-store', signal: AbortSignal.timeout(10000) })
    if (retryStatuses.includes(response.status)) return null
    return response.ok ? (await response.json()).seats : []
  } catch {
    return null
  }
}

// send makes a call with these members, beside the event and the user. It returns the members of the
// response or of the problem, and ok. It retries a call without an answer, since no call takes effect
// twice, and calls onRetry before each retry. A call with a key is made once, however often it is sent.
export async function send (call, members, onRetry, withKey = false) {
  const body = JSON.stringify({ event_id: event, ...members, user_id: user })
  const headers = { 'Content-Type': 'application/json', ...withKey && { 'Idempotency-Key': random(16) } }
  for (let attempt = 1; ; attempt++) {
    let wait = 1
    try {
      const response = await fetch('/' + call, { method: 'POST', headers, body, signal: AbortSignal.timeout(10000) })
      if (!retryStatuses.includes(response.status)) return { ok: response.ok, ...await response.json() }
      wait = Number(response.headers.get('Retry-After')) || 1
    } catch { /* no response, or an incomplete one */ }
    if (attempt === maxAttempts) {
      return { ok: false, code: 'no_answer', detail: 'No answer. We don’t know whether it worked. Try again: it can’t happen twice.' }
    }
    onRetry(attempt, maxAttempts)
    await new Promise(resolve => setTimeout(resolve, wait * 1000))
  }
}
