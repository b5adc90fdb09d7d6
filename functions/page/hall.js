// The hall: a grid of seats of which one is in the tab order, and arrow keys move on.

const words = {
  free: 'free', chosen: 'chosen', held: 'held for you', bought: 'bought by you', taken: 'held by someone else', sold: 'sold'
}

// build draws the rows of the plan and calls choose with the seat that is pressed. It
// returns how to show a seat's state, and how to give the hall the focus.
export function build (hall, plan, choose) {
  const rows = plan.map(row => row.seat_ids)
  const buttons = new Map()
  let current = rows[0]?.[0]

  for (const { label, seat_ids: ids } of plan) {
    const line = element('div', { role: 'row', className: 'row' })
    line.append(element('span', { role: 'rowheader', className: 'label', textContent: label, ariaLabel: `Row ${label}` }))
    for (const id of ids) {
      const button = element('button', {
        type: 'button', className: 'seat', id: 'seat-' + id, tabIndex: id === current ? 0 : -1,
        textContent: id.startsWith(label) && id !== label ? id.slice(label.length) : id
      })
      button.dataset.seat = id
      const cell = element('span', { role: 'gridcell' })
      cell.append(button)
      line.append(cell)
      buttons.set(id, button)
    }
    // The label stands on both sides, so that the row's end has one too.
    line.append(element('span', { className: 'label', textContent: label, ariaHidden: 'true' }))
    hall.append(line)
  }

  function rove (id) {
    buttons.get(current).tabIndex = -1
    current = id
    buttons.get(current).tabIndex = 0
  }

  hall.addEventListener('click', e => {
    const id = e.target.closest('button')?.dataset.seat
    if (!id) return
    rove(id)
    choose(id)
  })

  hall.addEventListener('keydown', e => {
    if (e.altKey || e.metaKey) return
    const y = rows.findIndex(ids => ids.includes(current))
    const x = rows[y]?.indexOf(current)
    const within = (ids, n) => ids[Math.min(Math.max(n, 0), ids.length - 1)]
    const target = {
      ArrowLeft: () => within(rows[y], x - 1),
      ArrowRight: () => within(rows[y], x + 1),
      ArrowUp: () => within(within(rows, y - 1), x),
      ArrowDown: () => within(within(rows, y + 1), x),
      Home: () => within(e.ctrlKey ? rows[0] : rows[y], 0),
      End: () => within(e.ctrlKey ? rows.at(-1) : rows[y], Infinity)
    }[e.key]?.()
    if (target === undefined) return
    e.preventDefault() // or the page scrolls
    rove(target)
    buttons.get(target).focus()
  })

  return {
    ids: [...buttons.keys()],
    focus: () => buttons.get(current)?.focus(),
    show (id, state) {
      const button = buttons.get(id)
      if (!button || button.dataset.state === state) return
      button.dataset.state = state
      button.ariaLabel = `Seat ${id}, ${words[state]}`
      const choosable = state === 'free' || state === 'chosen'
      button.ariaPressed = choosable ? String(state === 'chosen') : null
      button.ariaDisabled = choosable ? null : 'true'
    }
  }
}

// say tells in words how a seat stands.
export const say = (id, state) => `${id} is ${words[state]}.`

export function element (name, properties) {
  return Object.assign(document.createElement(name), properties)
}
