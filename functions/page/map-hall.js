// The hall: the seats of a plan in flat arrays, with their states, so that 100,000 of them are
// found, counted and drawn fast.

export const states = ['free', 'chosen', 'held', 'bought', 'taken', 'sold', 'blocked']
const stateNumbers = new Map(states.map((state, n) => [state, n]))
const isFree = state => state <= 1 // free, or chosen by this user

const maxRadius = 10 // of a seat, in the plan's units
const cellSize = 100 // of the grid by which seats are found

// createHall returns the hall of a plan, as plan.json has it. A seat is its number i, in the plan's order.
export function createHall (plan) {
  const ids = []
  const numbers = []
  const rows = [] // {zone, label, from, to}: the seats from from on, before to
  const zones = [] // {name, from, to, left, top, right, bottom, free}
  const total = plan.zones.reduce((n, zone) => n + zone.rows.reduce((n, row) => n + row.ids.length, 0), 0)
  const x = new Float32Array(total)
  const y = new Float32Array(total)
  const category = new Int16Array(total)
  const rowOf = new Uint32Array(total)
  const state = new Uint8Array(total)
  let spacing = Infinity // the least distance of neighbours in a row

  for (const zone of plan.zones) {
    const from = ids.length
    const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity }
    for (const row of zone.rows) {
      const start = ids.length
      row.ids.forEach((id, n) => {
        const i = start + n
        ids.push(id)
        numbers.push(row.numbers[n])
        x[i] = row.x[n]
        y[i] = row.y[n]
        category[i] = row.categories[n]
        rowOf[i] = rows.length
        box.left = Math.min(box.left, x[i])
        box.right = Math.max(box.right, x[i])
        box.top = Math.min(box.top, y[i])
        box.bottom = Math.max(box.bottom, y[i])
        if (n > 0) spacing = Math.min(spacing, Math.hypot(x[i] - x[i - 1], y[i] - y[i - 1]) || Infinity)
      })
      rows.push({ zone: zones.length, label: row.label, from: start, to: ids.length })
    }
    zones.push({ name: zone.name, from, to: ids.length, free: ids.length - from, ...box })
  }
  if (spacing === Infinity) spacing = 2.4 * maxRadius
  const positions = new Map(ids.map((id, i) => [id, i]))
  let free = total

  // The grid: the seats of cell c are order[starts[c]] to order[starts[c + 1] - 1].
  const [width, height] = plan.size
  const columns = Math.max(1, Math.ceil(width / cellSize))
  const lines = Math.max(1, Math.ceil(height / cellSize))
  const cell = i => Math.min(lines - 1, Math.floor(y[i] / cellSize)) * columns + Math.min(columns - 1, Math.floor(x[i] / cellSize))
  const starts = new Uint32Array(columns * lines + 1)
  for (let i = 0; i < total; i++) starts[cell(i) + 1]++
  for (let c = 0; c < columns * lines; c++) starts[c + 1] += starts[c]
  const order = new Uint32Array(total)
  const next = starts.slice()
  for (let i = 0; i < total; i++) order[next[cell(i)]++] = i

  // cellsWithin yields [from, to] of order for each cell that a rectangle touches.
  function * cellsWithin (left, top, right, bottom) {
    const clamp = (v, n) => Math.min(n - 1, Math.max(0, Math.floor(v / cellSize)))
    for (let line = clamp(top, lines); line <= clamp(bottom, lines); line++) {
      for (let column = clamp(left, columns); column <= clamp(right, columns); column++) {
        const c = line * columns + column
        if (starts[c] < starts[c + 1]) yield [starts[c], starts[c + 1]]
      }
    }
  }

  return {
    ids, numbers, rows, zones, x, y, category, rowOf, state, order, width, height, spacing, cellsWithin, positions,
    categories: plan.categories,
    shapes: plan.shapes,
    radius: Math.min(maxRadius, 0.46 * spacing),
    get free () { return free },

    // set sets the state of a seat, and reports whether it had another.
    set (i, name) {
      const to = stateNumbers.get(name)
      if (state[i] === to) return false
      const gained = isFree(to) - isFree(state[i])
      free += gained
      zones[rows[rowOf[i]].zone].free += gained
      state[i] = to
      return true
    },

    // nearest returns the seat nearest to a point, within a distance, or -1.
    nearest (px, py, within) {
      let best = -1
      let least = within
      for (const [from, to] of cellsWithin(px - within, py - within, px + within, py + within)) {
        for (let n = from; n < to; n++) {
          const distance = Math.hypot(x[order[n]] - px, y[order[n]] - py)
          if (distance < least) [best, least] = [order[n], distance]
        }
      }
      return best
    },

    // describe returns zone, row and seat in words.
    describe (i) {
      const row = rows[rowOf[i]]
      const zone = zones[row.zone].name
      return (zone ? zone + ', ' : '') + (row.label ? `row ${row.label}, ` : '') + `seat ${numbers[i] || ids[i]}`
    }
  }
}
