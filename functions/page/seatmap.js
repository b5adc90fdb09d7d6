// The seat map: a drawing for pointers, and a list for keyboards and screen readers. A switch shows the
// one or the other; the list can be reached by keyboard in both.

import { element } from './dom.js'
import { createHall, states } from './map-hall.js'
import { createCanvas } from './map-canvas.js'
import { createList } from './map-list.js'

const words = {
  free: 'free', chosen: 'chosen', held: 'held for you', bought: 'bought by you', taken: 'held by someone else', sold: 'sold', blocked: 'not for sale'
}
const legend = { free: 'Free', chosen: 'Chosen by you', held: 'Held for you', bought: 'Bought by you', taken: 'Held by others', sold: 'Sold', blocked: 'Not for sale' }
const isAccessible = name => /wheelchair|accessib/i.test(name)

// build draws a plan, as plan.json has it, into parent. choose(id) is called when the buyer picks a seat.
export function build (parent, plan, choose) {
  const hall = createHall(plan)
  const filtered = new Set() // the positions of the categories to show; empty: all
  const dimmed = i => filtered.size > 0 && !filtered.has(hall.category[i])
  const label = i => `${capital(hall.describe(i))}, ${words[states[hall.state[i]]]}`

  const tools = element('div', { className: 'tools' })
  const stage = element('div', { className: 'canvas' })
  stage.dataset.seats = hall.ids.length
  stage.ariaHidden = 'true' // the list has the same
  const tip = element('div', { className: 'tip', hidden: true })
  const list = element('div', { className: 'list unseen' })
  const marks = element('ul', { className: 'legend', ariaLabel: 'What the marks mean' })
  const body = element('div', { className: 'body' })
  body.append(stage, list)
  parent.append(tools, body, marks)

  const pick = i => choose(hall.ids[i])
  const drawing = createCanvas(stage, hall, { pick, hover, view: () => { enable(); tip.hidden = true } }, dimmed)
  const rows = createList(list, hall, { pick, focus, blur: () => drawing.mark(-1) }, label, i => states[hall.state[i]])
  stage.append(tip)

  function focus (i) {
    drawing.mark(i)
    drawing.reveal(i)
  }

  function hover (i, px, py) {
    drawing.mark(i)
    tip.hidden = i < 0
    if (i < 0) return
    const category = hall.categories[hall.category[i]]?.name
    tip.replaceChildren(
      element('b', { textContent: capital(hall.describe(i)) }),
      element('span', { textContent: [category, words[states[hall.state[i]]]].filter(Boolean).join(' · ') })
    )
    const [x, y] = drawing.place(i)
    const right = x > stage.clientWidth / 2
    tip.style.transform = `translate(${right ? 'calc(-100% - 14px)' : '14px'}, -50%) translate(${x}px, ${Math.min(stage.clientHeight - 30, Math.max(30, y))}px)`
  }

  // The tools: map or list, and the zoom.
  const button = (text, name, press) => {
    const made = element('button', { type: 'button', textContent: text, ariaLabel: name, title: name })
    made.addEventListener('click', press)
    return made
  }
  const show = (showList) => {
    list.classList.toggle('unseen', !showList)
    stage.hidden = showList
    for (const b of zoom.children) b.hidden = showList
    asMap.ariaPressed = String(!showList)
    asList.ariaPressed = String(showList)
  }
  const asMap = button('Map', 'Show the map', () => show(false))
  const asList = button('List', 'Show the list', () => show(true))
  const kind = element('div', { className: 'switch', role: 'group', ariaLabel: 'Map or list' })
  kind.append(asMap, asList)
  const closer = button('+', 'Closer', () => drawing.zoomBy(1.6))
  const farther = button('−', 'Farther', () => drawing.zoomBy(1 / 1.6))
  const whole = button('⤢', 'Whole hall', () => drawing.showWhole())
  const zoom = element('div', { className: 'zoom', ariaHidden: 'true' }) // the keys + - 0 do the same
  zoom.append(closer, farther, whole)
  for (const b of zoom.children) b.tabIndex = -1
  stage.after(zoom)
  function enable () {
    closer.disabled = drawing.isClosest()
    farther.disabled = whole.disabled = drawing.isWhole()
  }

  // The categories of the seats filter them.
  const used = new Set(hall.category)
  if (hall.categories.length > 1) {
    const filters = element('div', { className: 'filters', role: 'group', ariaLabel: 'Show only these categories' })
    hall.categories.forEach(({ name, color }, n) => {
      if (!used.has(n)) return
      const filter = element('button', { type: 'button', ariaPressed: 'false' })
      const dot = element('span', { className: 'dot', ariaHidden: 'true' })
      dot.style.background = color
      filter.append(dot, (isAccessible(name) ? '♿ ' : '') + name)
      filter.addEventListener('click', () => {
        if (!filtered.delete(n)) filtered.add(n)
        filter.ariaPressed = String(filtered.has(n))
        drawing.repaintAll()
      })
      filters.append(filter)
    })
    tools.append(filters)
  }
  tools.append(kind)
  show(false)

  for (const state of states) {
    const item = element('li', {})
    const mark = element('span', { className: 'mark', ariaHidden: 'true' })
    mark.dataset.state = state
    item.append(mark, legend[state])
    item.hidden = state === 'blocked' // until a seat is
    marks.append(item)
  }

  parent.addEventListener('keydown', e => {
    if (e.altKey || e.metaKey || e.ctrlKey || e.target.tagName === 'SELECT') return
    const act = { '+': () => drawing.zoomBy(1.6), '=': () => drawing.zoomBy(1.6), '-': () => drawing.zoomBy(1 / 1.6), 0: () => drawing.showWhole() }[e.key]
    if (!act) return
    e.preventDefault()
    act()
  })

  return {
    ids: hall.ids,
    get free () { return hall.free },

    // seat returns what the plan says of a seat, undefined if it has none of this id.
    seat (id) {
      const i = hall.positions.get(id)
      if (i === undefined) return undefined
      const row = hall.rows[hall.rowOf[i]]
      const { name = '', color } = hall.categories[hall.category[i]] ?? {}
      return { zone: hall.zones[row.zone].name, row: row.label, number: hall.numbers[i] || id, category: name, color }
    },

    // show shows the states of seats: pairs of id and state.
    show (changes) {
      const seats = []
      for (const [id, state] of changes) {
        const i = hall.positions.get(id)
        if (i === undefined || !hall.set(i, state)) continue
        seats.push(i)
        if (state === 'blocked') marks.lastElementChild.hidden = false
      }
      if (seats.length === 0) return
      drawing.repaint(seats)
      rows.refresh(seats)
    },

    focus: rows.focus,
    reveal: id => hall.positions.has(id) && drawing.reveal(hall.positions.get(id))
  }
}

const capital = text => text[0].toUpperCase() + text.slice(1)

// describe returns a sentence with the state of a seat.
export const describe = (name, state) => `${name} is ${words[state]}.`
