// The seat map on the page: a grid with one tab stop. The arrow keys move it.

const words = {
  free: 'free', chosen: 'chosen', held: 'held for you', bought: 'bought by you', taken: 'held by someone else', sold: 'sold'
}

// build draws the rows of the plan into grid. A click on a seat calls choose with its id.
// It returns the ids, a function that shows a seat's state, and one that focuses the grid.
export function build (grid, plan, choose) {
  const rows = plan.map(row => row.seat_ids)
  const buttons = new Map()
  let current = rows[0]?.[0] // the seat that is the tab stop

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
    // A second label, at the other end of the row.
    line.append(element('span', { className: 'label', textContent: label, ariaHidden: 'true' }))
    grid.append(line)
  }

  function moveTabStop (id) {
    buttons.get(current).tabIndex = -1
    current = id
    buttons.get(current).tabIndex = 0
  }

  grid.addEventListener('click', e => {
    const id = e.target.closest('button')?.dataset.seat
    if (!id) return
    moveTabStop(id)
    choose(id)
  })

  grid.addEventListener('keydown', e => {
    if (e.altKey || e.metaKey) return
    const y = rows.findIndex(ids => ids.includes(current))
    const x = rows[y]?.indexOf(current)
    const clamp = (ids, n) => ids[Math.min(Math.max(n, 0), ids.length - 1)]
    const target = {
      ArrowLeft: () => clamp(rows[y], x - 1),
      ArrowRight: () => clamp(rows[y], x + 1),
      ArrowUp: () => clamp(clamp(rows, y - 1), x),
      ArrowDown: () => clamp(clamp(rows, y + 1), x),
      Home: () => clamp(e.ctrlKey ? rows[0] : rows[y], 0),
      End: () => clamp(e.ctrlKey ? rows.at(-1) : rows[y], Infinity)
    }[e.key]?.()
    if (target === undefined) return
    e.preventDefault() // otherwise the page scrolls
    moveTabStop(target)
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

// describe returns a sentence with the state of a seat.
export const describe = (id, state) => `${id} is ${words[state]}.`

export function element (name, properties) {
  return Object.assign(document.createElement(name), properties)
}
