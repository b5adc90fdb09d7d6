// The page in a frame of a shop's page: it tells that page which seats the user holds and has bought.

const isFramed = parent !== window
// The page that has the frame. Without its origin nothing is sent, because any page could read it.
const origin = isFramed && document.referrer ? new URL(document.referrer).origin : null
let last = ''

document.documentElement.classList.toggle('framed', isFramed)

// tellParent sends {type: 'booking.seats', event_id, user_id, held, bought, expires_in_ms} if held or bought
// has changed. expires_in_ms is there while seats are held.
export function tellParent (message) {
  const key = JSON.stringify([message.held, message.bought])
  if (origin === null || key === last) return
  last = key
  parent.postMessage({ type: 'booking.seats', ...message }, origin)
}
