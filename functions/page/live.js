// How the page knows what others do: the seat map, then every change since. Where the
// stream of changes can't be had, the map is asked for every second instead.

const types = ['held', 'extended', 'released', 'expired', 'sold']
const pollEvery = 1000 // ms
const openWithin = 3000 // ms, before a stream that does not open is given up
const streamEvery = 5 // polls, before the stream is tried again
const checkEvery = 5000 // ms, while the stream is open
const cached = 1000 // ms; the map may be older than a change that was just told, but not by more

const now = () => performance.now()

// isAfter compares ids of changes, which are two numbers with a hyphen between.
function isAfter (a, b) {
  const [x, y] = [a, b].map(id => id.split('-').map(Number))
  return x[0] > y[0] || (x[0] === y[0] && x[1] > y[1])
}

// follow calls on.map with all seats that are not free, {id: {status, deadline}}, and
// the time that the map is at least as late as; then on.change with each change's type,
// seats and deadline, in order; and on.connection with 'live', 'polling', or 'lost' and
// a sentence. Times are those of performance.now, so that a wrong clock does no harm. It
// returns a function that begins anew.
export function follow (event, on) {
  const query = new URLSearchParams({ event_id: event })
  let last = '0-0' // the last change that is known
  let heard = -Infinity // when the stream told it
  let offset = 0 // from performance.now to the service's clock
  let etag = ''
  let source = null
  let opening = 0
  let next = 0
  let turn = 0

  async function load () {
    const sent = now()
    const answer = await fetch('/seats?' + query, {
      cache: 'no-store', headers: etag ? { 'If-None-Match': etag } : {}, signal: AbortSignal.timeout(5000)
    })
    if (answer.status === 304) return
    const map = await answer.json()
    if (!answer.ok) throw new Error(map.detail)
    if (isAfter(last, map.last_event_id) && now() - heard < cached) return
    const age = Number(answer.headers.get('Age-Ms'))
    const taken = now() - age
    offset = Date.parse(map.as_of) - taken
    etag = answer.headers.get('ETag') ?? ''
    last = map.last_event_id
    on.map(new Map(map.seats.map(s => [s.seat_id, { status: s.status, deadline: taken + (s.expires_in_ms ?? 0) }])), sent - age)
  }

  function stop () {
    clearTimeout(opening)
    clearTimeout(next)
    source?.close()
    source = null
  }

  function begin (delay) {
    stop()
    const mine = ++turn
    next = setTimeout(() => poll(0, mine), delay)
  }

  async function poll (count, mine) {
    let fault = null
    try {
      await load()
    } catch (error) {
      fault = error
    }
    if (mine !== turn) return
    if (fault) on.connection('lost', fault.message)
    else if (count > 0) on.connection('polling')
    if (!fault && count % streamEvery === 0) listen()
    next = setTimeout(() => poll(fault ? 0 : count + 1, mine), pollEvery)
  }

  function watch (mine, tag, since) {
    next = setTimeout(() => check(mine, tag, since), checkEvery * (0.75 + Math.random() / 2))
  }

  // check asks whether changes can still arrive, since a stream stays open though the
  // service does not see Redis. It asks for the head of the map alone, which all pages
  // share. The map's tag was another one before, at since: then a change has happened,
  // and the stream must have told one.
  async function check (mine, tag, since) {
    if (document.hidden) return watch(mine, tag, since) // the page starts again when it is seen
    const begun = now()
    try {
      const answer = await fetch('/seats?' + query, { method: 'HEAD', cache: 'no-store', signal: AbortSignal.timeout(5000) })
      if (!answer.ok) throw new Error(`The service answers ${answer.status}.`)
      const seen = answer.headers.get('ETag')
      const told = () => !tag || seen === tag || heard >= since - cached
      if (!told()) await new Promise(resolve => setTimeout(resolve, pollEvery)) // the change may be on its way
      if (mine !== turn) return
      told() ? watch(mine, seen, begun) : begin(0)
    } catch (error) {
      if (mine !== turn) return
      on.connection('lost', error.message)
      begin(0)
    }
  }

  function listen () {
    source?.close()
    const opened = source = new EventSource(`/changes?${query}&last_event_id=${last}`)
    const giveUp = () => opened.close()
    clearTimeout(opening)
    opening = setTimeout(giveUp, openWithin)
    let open = false
    opened.onopen = () => {
      open = true
      turn++ // the stream has taken over from the polls
      clearTimeout(opening)
      clearTimeout(next)
      on.connection('live')
      watch(turn, etag, now())
    }
    // A service that stops ends all its streams at once; not all of them should come
    // back at once.
    opened.onerror = () => { open ? begin(Math.random() * 500) : giveUp() }
    opened.addEventListener('reset', () => {
      last = '0-0'
      etag = ''
      begin(0)
    })
    for (const type of types) {
      opened.addEventListener(type, message => {
        if (!isAfter(message.lastEventId, last)) return
        last = message.lastEventId
        heard = now()
        etag = '' // what the page shows is no longer that map
        const change = JSON.parse(message.data)
        on.change(type, change.seat_ids, change.status, change.expires_at ? Date.parse(change.expires_at) - offset : 0)
      })
    }
  }

  begin(0)
  return () => begin(0)
}
