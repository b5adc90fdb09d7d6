// The basket: the lists of the seats that the user chose, holds and has bought.

import { byId, element } from './dom.js'
import { placeOf } from './names.js'

// drawSeats draws the seats ids into the list with the id list. press(id) is called for their button, whose
// name is action and the seat's; without action they have none. It returns whether the focus was in the list.
export function drawSeats (list, ids, names, action, press) {
  const parent = byId(list)
  const wanted = [...ids]
  if (wanted.join() === [...parent.children].map(item => item.dataset.seat).join()) return false
  const focused = parent.contains(document.activeElement)
  parent.replaceChildren(...wanted.map(id => {
    const seat = names.seatOf(id)
    const item = element('li')
    item.dataset.seat = id
    const dot = element('span', { className: 'dot', ariaHidden: 'true' })
    dot.style.background = seat.color ?? 'var(--seat)'
    const what = element('span', { className: 'what', textContent: placeOf(seat) })
    if (seat.category) what.append(element('small', { textContent: seat.category }))
    item.append(dot, what)
    if (action) {
      const button = element('button', { type: 'button', textContent: '✕', ariaLabel: `${action} ${names.nameOf(id)}`, title: action })
      button.addEventListener('click', () => press(id))
      item.append(button)
    }
    return item
  }))
  return focused
}
