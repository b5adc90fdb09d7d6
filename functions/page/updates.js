// How the page learns of other buyers: it loads the seat map, then applies every change.
// If the stream of /changes is unavailable, it polls the seat map every second.

const types = ['held', 'extended', 'released', 'expired', 'sold', 'returned', 'exchanged', 'blocked', 'unblocked']
const pollInterval = 1000 // ms
const openTimeout = 3000 // ms for the stream to open
const pollsPerStream = 5 // polls between two attempts to open the stream
const checkInterval = 5000 // ms, while the stream is open
const maxMapAge = 1000 // ms; a seat map may be older than the last change by this much

const now = () => performance.now()

// isAfter compares the ids of two changes. An id is two numbers with a hyphen between.
function isAfter (a, b) {
  const [x, y] = [a, b].map(id => id.split('-').map(Number))
  return x[0] > y[0] || (x[0] === y[0] && x[1] > y[1])
}

// subscribe keeps the caller informed of an event:
// on.map gets all seats that are not free, {id: {status, deadline}}, and the latest time
// at which the service may have read them;
// on.change gets the type, seats, status and deadline of each change, in order;
// on.connection gets 'live', 'polling', or 'lost' and a sentence.
// Times are those of performance.now, which a wrong clock doesn't affect. It returns reload, which
// reloads the seat map, and moment, which returns the time of an RFC 3339 text, NaN before the first map.
export function subscribe (event, on) {
  const query = new URLSearchParams({ event_id: event })
  let last = '0-0' // id of the last change that was applied
  let changedAt = -Infinity // when the stream delivered it
  let offset = NaN // the service's clock minus performance.now
  let etag = '' // of the seat map that the page shows; '' after a change
  let source = null
  let openTimer = 0
  let timer = 0
  let generation = 0 // callbacks of an earlier generation do nothing

  async function load () {
    const sent = now()
    const response = await fetch('/seats?' + query, {
      cache: 'no-store', headers: etag ? { 'If-None-Match': etag } : {}, signal: AbortSignal.timeout(5000)
    })
    if (response.status === 304) return
    const map = await response.json()
    if (!response.ok) throw new Error(map.detail)
    if (isAfter(last, map.last_event_id) && now() - changedAt < maxMapAge) return
    const age = Number(response.headers.get('Age-Ms'))
    const readAt = now() - age
    offset = Date.parse(map.as_of) - readAt
    etag = response.headers.get('ETag') ?? ''
    last = map.last_event_id
    on.map(new Map(map.seats.map(s => [s.seat_id, { status: s.status, deadline: readAt + (s.expires_in_ms ?? 0) }])), sent - age)
  }

  function restart (delay) {
    clearTimeout(openTimer)
    clearTimeout(timer)
    source?.close()
    source = null
    const current = ++generation
    timer = setTimeout(() => poll(0, current), delay)
  }

  async function poll (count, current) {
    let fault = null
    try {
      await load()
    } catch (error) {
      fault = error
    }
    if (current !== generation) return
    if (fault) on.connection('lost', fault.message)
    else if (count > 0) on.connection('polling')
    if (!fault && count % pollsPerStream === 0) openStream()
    timer = setTimeout(() => poll(fault ? 0 : count + 1, current), pollInterval)
  }

  function scheduleCheck (current, tag, since) {
    timer = setTimeout(() => check(current, tag, since), checkInterval * (0.75 + Math.random() / 2))
  }

  // check detects a stream that is open but gets no changes, for example because its process
  // can't reach Redis. It compares the ETag of the seat map with the one of the last check,
  // at since. If they differ there was a change, so the stream must have delivered one. A
  // HEAD is cheap: all pages share the map.
  async function check (current, tag, since) {
    if (document.hidden) return scheduleCheck(current, tag, since) // the page reloads the map when it is shown
    const begun = now()
    try {
      const response = await fetch('/seats?' + query, { method: 'HEAD', cache: 'no-store', signal: AbortSignal.timeout(5000) })
      if (!response.ok) throw new Error(`The service answered ${response.status}.`)
      const newTag = response.headers.get('ETag')
      const delivered = () => !tag || newTag === tag || changedAt >= since - maxMapAge
      if (!delivered()) await new Promise(resolve => setTimeout(resolve, pollInterval)) // the change may be on its way
      if (current !== generation) return
      delivered() ? scheduleCheck(current, newTag, begun) : restart(0)
    } catch (error) {
      if (current !== generation) return
      on.connection('lost', error.message)
      restart(0)
    }
  }

  function openStream () {
    source?.close()
    const stream = source = new EventSource(`/changes?${query}&last_event_id=${last}`)
    const giveUp = () => stream.close() // polling goes on
    clearTimeout(openTimer)
    openTimer = setTimeout(giveUp, openTimeout)
    let open = false
    stream.onopen = () => {
      open = true
      generation++ // ends polling
      clearTimeout(openTimer)
      clearTimeout(timer)
      on.connection('live')
      scheduleCheck(generation, etag, now())
    }
    // A process that stops ends all its streams at once. The random delay spreads their return.
    stream.onerror = () => { open ? restart(Math.random() * 500) : giveUp() }
    stream.addEventListener('reset', () => {
      last = '0-0'
      etag = ''
      restart(0)
    })
    for (const type of types) {
      stream.addEventListener(type, message => {
        if (!isAfter(message.lastEventId, last)) return
        last = message.lastEventId
        changedAt = now()
        etag = ''
        const change = JSON.parse(message.data)
        if (change.to_seat_ids) on.change('sold', change.to_seat_ids, 'Sold', 0)
        on.change(type, change.seat_ids, change.status, change.expires_at ? Date.parse(change.expires_at) - offset : 0)
      })
    }
  }

  restart(0)
  return { reload: () => restart(0), moment: text => Date.parse(text) - offset }
}
