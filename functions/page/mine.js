// Who the user is, what is theirs, and the calls that change that.

const attempts = 5
const repeatable = [502, 503, 504]
const parameters = new URLSearchParams(location.search)

// memory stands in for localStorage where the browser keeps the page from it.
const memory = {}

function read (key) {
  try { return localStorage.getItem(key) } catch { return memory[key] ?? null }
}

function write (key, value) {
  memory[key] = value
  try { localStorage.setItem(key, value) } catch { /* memory has it */ }
}

function identify () {
  const asked = parameters.get('user_id')
  const known = asked !== null && /^[!-~]{1,128}$/.test(asked) ? asked : read('booking:user')
  const user = known ?? Array.from(crypto.getRandomValues(new Uint8Array(8)), n => n.toString(16).padStart(2, '0')).join('')
  write('booking:user', user)
  return user
}

export const event = parameters.get('event_id') ?? 'default'
export const user = identify()

const key = `booking:${event}:${user}`

// remembered returns the seats that this browser noted as the user's. What is held may
// have ended since.
export function remembered () {
  try {
    const { held, bought } = JSON.parse(read(key))
    return { held, bought }
  } catch {
    return { held: [], bought: [] }
  }
}

export function remember (held, bought) {
  write(key, JSON.stringify({ held: [...held], bought: [...bought] }))
}

// whenRemembered calls back when another tab of the same user has noted something.
export function whenRemembered (call) {
  addEventListener('storage', e => { if (e.key === key) call() })
}

// send makes a call and returns its answer, with ok, or the problem. A call that is not
// answered is repeated, since none takes effect twice; repeating is told of each time.
export async function send (call, seats, repeating) {
  const body = JSON.stringify({ event_id: event, seat_ids: seats, user_id: user })
  for (let attempt = 1; ; attempt++) {
    let wait = 1
    try {
      const answer = await fetch('/' + call, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body, signal: AbortSignal.timeout(10000)
      })
      if (!repeatable.includes(answer.status)) return { ok: answer.ok, ...await answer.json() }
      wait = Number(answer.headers.get('Retry-After')) || 1
    } catch { /* no answer, or half of one */ }
    if (attempt === attempts) {
      return { ok: false, code: 'no_answer', detail: 'The service does not answer, so it is not known whether that worked. Try again: it can’t happen twice.' }
    }
    repeating(attempt, attempts)
    await new Promise(resolve => setTimeout(resolve, wait * 1000))
  }
}
