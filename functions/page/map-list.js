// The list of the hall for keyboards and screen readers: a grid of buttons, row by row, with one tab
// stop that the arrow keys move. It has one part of the hall at a time, so that the page stays small.

import { element } from './dom.js'

const partSize = 500 // seats of a part, more only if one row has more

// partsOf returns the parts of a hall: rows of one zone from from on, before to.
function partsOf (hall) {
  const parts = []
  let seats = 0
  hall.rows.forEach((row, r) => {
    const size = row.to - row.from
    const last = parts.at(-1)
    if (last?.zone === row.zone && seats + size <= partSize) {
      last.to = r + 1
      seats += size
    } else {
      parts.push({ zone: row.zone, from: r, to: r + 1 })
      seats = size
    }
  })
  return parts
}

// createList makes the list in parent. on.pick(i) is called for a click, on.focus(i) when a seat gets the
// focus and on.blur when the list loses it. label(i) is the text of a seat for screen readers, state(i) its state.
export function createList (parent, hall, on, label, state) {
  const parts = partsOf(hall)
  const grid = element('div', { role: 'grid', ariaLabel: 'Seats, row by row' })
  const select = element('select', { id: 'part' })
  const chooser = element('label', { className: 'part', hidden: parts.length < 2 })
  chooser.append('Part of the hall ', select)
  parts.forEach((part, n) => select.append(element('option', { value: n })))
  parent.append(chooser, grid)
  const buttons = new Map() // of the part that is shown, by seat
  let shown = -1
  let current = 0 // the seat that is the tab stop
  let naming = null // the timer that names the parts again

  const partOf = i => parts.findIndex(part => hall.rowOf[i] >= part.from && hall.rowOf[i] < part.to)

  function nameParts () {
    parts.forEach((part, n) => {
      const [first, last] = [hall.rows[part.from].label, hall.rows[part.to - 1].label]
      const zone = hall.zones[part.zone]
      const whole = zone.from === hall.rows[part.from].from && zone.to === hall.rows[part.to - 1].to
      const rows = first === last ? `row ${first}` : `rows ${first} to ${last}`
      const name = whole && zone.name ? zone.name : zone.name ? `${zone.name}, ${rows}` : rows[0].toUpperCase() + rows.slice(1)
      let free = 0
      for (let i = hall.rows[part.from].from; i < hall.rows[part.to - 1].to; i++) free += hall.state[i] <= 1
      select.options[n].textContent = `${name} (${free.toLocaleString()} free)`
    })
    select.value = shown
  }

  function nameLater () {
    naming ??= setTimeout(() => {
      naming = null
      nameParts()
    }, 1000)
  }

  function show (n) {
    if (n === shown || parts.length === 0) return
    shown = n
    buttons.clear()
    const lines = []
    for (let r = parts[n].from; r < parts[n].to; r++) {
      const row = hall.rows[r]
      const line = element('div', { role: 'row', className: 'row' })
      line.append(element('span', { role: 'rowheader', className: 'label', textContent: row.label, ariaLabel: `Row ${row.label}` }))
      for (let i = row.from; i < row.to; i++) {
        const id = hall.ids[i]
        const button = element('button', { type: 'button', className: 'seat', id: 'seat-' + id, tabIndex: -1, textContent: hall.numbers[i] || id })
        button.dataset.seat = id
        const cell = element('span', { role: 'gridcell' })
        cell.append(button)
        line.append(cell)
        buttons.set(i, button)
        refresh(i, button)
      }
      lines.push(line)
    }
    grid.replaceChildren(...lines)
    if (!buttons.has(current)) current = hall.rows[parts[n].from].from
    buttons.get(current).tabIndex = 0
    select.value = n
  }

  function refresh (i, button) {
    const now = state(i)
    if (button.dataset.state === now) return
    const choosable = now === 'free' || now === 'chosen'
    button.dataset.state = now
    button.ariaLabel = label(i)
    button.ariaPressed = choosable ? String(now === 'chosen') : null
    button.ariaDisabled = choosable ? null : 'true'
  }

  function moveTo (i) {
    const old = buttons.get(current)
    if (old) old.tabIndex = -1
    current = i
    show(partOf(i))
    buttons.get(i).tabIndex = 0
  }

  const seatOf = e => hall.positions.get(e.target.closest('button')?.dataset.seat)
  grid.addEventListener('click', e => {
    const i = seatOf(e)
    if (i === undefined) return
    moveTo(i)
    on.pick(i)
  })
  grid.addEventListener('focusin', e => {
    const i = seatOf(e)
    if (i === undefined) return
    moveTo(i)
    on.focus(i)
  })
  grid.addEventListener('focusout', () => on.blur())
  select.addEventListener('change', () => show(Number(select.value)))

  grid.addEventListener('keydown', e => {
    if (e.altKey || e.metaKey) return
    const r = hall.rowOf[current]
    const row = hall.rows[r]
    const inRow = to => hall.rows[to] && Math.min(hall.rows[to].from + current - row.from, hall.rows[to].to - 1)
    const target = {
      ArrowLeft: () => Math.max(row.from, current - 1),
      ArrowRight: () => Math.min(row.to - 1, current + 1),
      ArrowUp: () => inRow(Math.max(0, r - 1)),
      ArrowDown: () => inRow(Math.min(hall.rows.length - 1, r + 1)),
      Home: () => e.ctrlKey ? 0 : row.from,
      End: () => e.ctrlKey ? hall.ids.length - 1 : row.to - 1
    }[e.key]?.()
    if (target === undefined) return
    e.preventDefault() // otherwise the page scrolls
    moveTo(target)
    buttons.get(target).focus()
  })

  show(0)
  nameParts()
  return {
    focus: () => buttons.get(current)?.focus(),
    refresh (seats) {
      for (const i of seats) if (buttons.has(i)) refresh(i, buttons.get(i))
      nameLater()
    }
  }
}
