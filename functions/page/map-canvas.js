// The drawing of the hall: three layers of canvas, one over the other. The lowest has the shapes and
// the labels of rows, the middle one the seats, the upper one the names of zones and the marked seat.
//
// The seats are painted in slices of some milliseconds on a second canvas, which then takes the place
// of the first. Until then the first one is shown, moved and scaled. A seat that changes is painted
// alone. So neither a large hall nor many changes block the page.

import { element } from './dom.js'
import { createLooks, readColors } from './map-looks.js'

const slice = 6 // ms of painting in a frame
const glide = 220 // ms of a zoom
const maxSeatRadius = 26 // on the screen
const smallSeat = 4 // a radius below which a click zooms in
const smallForTouch = 11
const rowLabels = 6 // the radius from which rows have labels
const largestText = 22 // of a shape, on the screen
const padding = 8 // around the whole hall

// createCanvas draws hall into parent. on.pick(i) is called for a click on a seat, on.hover(i or -1, x, y) for
// the pointer above one, on.view() after each move. dimmed(i) tells which seats are filtered out.
export function createCanvas (parent, hall, on, dimmed) {
  const layers = Array.from({ length: 4 }, () => element('canvas', { className: 'layer' }))
  const [shapes, , , labels] = layers
  let [, front, back] = layers // of the seats
  parent.append(...layers)
  const still = matchMedia('(prefers-reduced-motion: reduce)')
  const dark = matchMedia('(prefers-color-scheme: dark)')
  let ratio = 1
  let width = 0
  let height = 0
  let colors, looks
  let view = { k: 1, x: 0, y: 0 } // a point of the plan is at k * point + (x, y)
  let painted = null // the view of the front canvas
  let job = null
  let stale = true // whether the front canvas must be painted as a whole
  const changed = new Set()
  let marked = -1
  let frame = 0
  let glideTo = null

  const context = canvas => {
    const c = canvas.getContext('2d')
    c.setTransform(ratio, 0, 0, ratio, 0, 0)
    return c
  }
  const fitScale = () => Math.min((width - 2 * padding) / hall.width, (height - 2 * padding) / hall.height)
  const maxScale = () => Math.max(maxSeatRadius / hall.radius, fitScale())
  const seatRadius = v => hall.radius * v.k
  const toPlan = (px, py) => [(px - view.x) / view.k, (py - view.y) / view.k]

  // limited returns a view in which the hall can be seen.
  function limited (v) {
    const k = Math.min(maxScale(), Math.max(fitScale(), v.k))
    const keep = (at, size, room) => size * k <= room ? (room - size * k) / 2 : Math.min(room / 3, Math.max(room * 2 / 3 - size * k, at))
    return { k, x: keep(v.x, hall.width, width), y: keep(v.y, hall.height, height) }
  }

  // zoomed returns the view scaled by a factor around a point of the screen.
  function zoomed (factor, px, py, from = view) {
    const k = Math.min(maxScale(), Math.max(fitScale(), from.k * factor))
    return { k, x: px - (px - from.x) * k / from.k, y: py - (py - from.y) * k / from.k }
  }

  // around returns the view that shows a rectangle of the plan.
  function around (left, top, right, bottom, most = maxScale()) {
    const k = Math.min(most, width / (right - left), height / (bottom - top))
    return { k, x: width / 2 - k * (left + right) / 2, y: height / 2 - k * (top + bottom) / 2 }
  }

  function moveTo (v) {
    glideTo = null
    view = limited(v)
    stale = true
    request()
    on.view()
  }

  function glideToView (v) {
    const to = limited(v)
    if (still.matches || !painted) return moveTo(to)
    glideTo = { from: view, to, since: null }
    request()
  }

  function request () {
    if (!frame) frame = requestAnimationFrame(onFrame)
  }

  function onFrame (time) {
    frame = 0
    if (width === 0) return
    if (glideTo) {
      glideTo.since ??= time
      const part = Math.min(1, (time - glideTo.since) / glide)
      const eased = 1 - (1 - part) ** 3
      const { from, to } = glideTo
      const k = from.k * (to.k / from.k) ** eased
      const along = from.k === to.k ? eased : (k - from.k) / (to.k - from.k)
      view = { k, x: from.x + (to.x - from.x) * along, y: from.y + (to.y - from.y) * along }
      stale = true
      if (part === 1) [view, glideTo] = [to, null]
      on.view()
    }
    if (painted) paintChanged()
    if (stale && !job) {
      job = paintAll(view)
      stale = false
    }
    const end = performance.now() + slice
    while (job && performance.now() < end) {
      if (job.next().done) finish()
    }
    for (const canvas of [shapes, front]) place(canvas)
    paintLabels()
    if (glideTo || job || stale) request()
  }

  // place moves a canvas that was painted for another view.
  function place (canvas) {
    if (!painted) return
    const scale = view.k / painted.k
    const same = scale === 1 && view.x === painted.x && view.y === painted.y
    canvas.style.transform = same ? '' : `translate(${view.x - painted.x * scale}px, ${view.y - painted.y * scale}px) scale(${scale})`
  }

  // paintAll paints the seats that a view shows on the back canvas, and yields now and then.
  function * paintAll (v) {
    const c = context(back)
    c.clearRect(0, 0, width, height)
    prepare(c, v)
    const [left, top, right, bottom] = [-v.x / v.k, -v.y / v.k, (width - v.x) / v.k, (height - v.y) / v.k]
    let count = 0
    for (const [from, to] of hall.cellsWithin(left, top, right, bottom)) {
      for (let n = from; n < to; n++) {
        paintSeat(c, hall.order[n], v)
        if (++count % 64 === 0) yield
      }
    }
    job.view = v
  }

  function finish () {
    painted = job.view
    job = null
    ;[front, back] = [back, front]
    front.hidden = false
    back.hidden = true
    paintShapes()
    paintChanged()
  }

  function prepare (c, v) {
    c.font = `600 ${Math.min(14, seatRadius(v) * 0.95)}px system-ui, sans-serif`
    c.textAlign = 'center'
    c.textBaseline = 'middle'
  }

  const paintSeat = (c, i, v) => looks.paint(c, i, hall.x[i] * v.k + v.x, hall.y[i] * v.k + v.y, seatRadius(v), dimmed(i))

  // paintChanged paints the changed seats where they are. A job that is under way may have painted them
  // before, so they stay in the set until it has ended.
  function paintChanged () {
    if (changed.size === 0) return
    const c = context(front)
    prepare(c, painted)
    const half = Math.min(seatRadius(painted) + 2, hall.spacing * painted.k / 2)
    for (const i of changed) {
      const [px, py] = [hall.x[i] * painted.k + painted.x, hall.y[i] * painted.k + painted.y]
      if (px < -half || py < -half || px > width + half || py > height + half) continue
      c.clearRect(px - half, py - half, 2 * half, 2 * half)
      paintSeat(c, i, painted)
    }
    if (!job) changed.clear()
  }

  function paintShapes () {
    const v = painted
    const c = context(shapes)
    c.clearRect(0, 0, width, height)
    for (const s of hall.shapes) paintShape(c, s, v)
    if (seatRadius(v) < rowLabels) return
    c.font = `${Math.min(13, seatRadius(v))}px system-ui, sans-serif`
    c.textAlign = 'center'
    c.textBaseline = 'middle'
    c.fillStyle = colors.muted
    for (const row of hall.rows) {
      if (row.label.length > 3) continue // a longer one would cover seats
      for (const [end, inner] of [[row.from, row.from + 1], [row.to - 1, row.to - 2]]) {
        const alone = row.to - row.from === 1
        if (alone && end !== row.from) continue
        const [dx, dy] = alone ? [-hall.spacing, 0] : [hall.x[end] - hall.x[inner], hall.y[end] - hall.y[inner]]
        const scale = hall.spacing * 0.95 / (Math.hypot(dx, dy) || 1)
        c.fillText(row.label, (hall.x[end] + dx * scale) * v.k + v.x, (hall.y[end] + dy * scale) * v.k + v.y)
      }
    }
  }

  function paintShape (c, s, v) {
    c.save()
    c.translate(s.x * v.k + v.x, s.y * v.k + v.y)
    c.scale(v.k, v.k)
    c.rotate((s.rotation ?? 0) * Math.PI / 180)
    c.beginPath()
    if (s.shape === 'rectangle') c.roundRect(0, 0, s.width ?? 0, s.height ?? 0, 6)
    else if (s.points) s.points.forEach(([px, py], n) => n ? c.lineTo(px, py) : c.moveTo(px, py))
    else if (s.rx || s.ry) c.ellipse(0, 0, s.rx ?? 0, s.ry ?? 0, 0, 0, 2 * Math.PI)
    c.closePath()
    // The plan's colors are for a light page. On a dark one they are only a tint.
    c.fillStyle = s.color || colors.hairline
    c.globalAlpha = dark.matches ? 0.16 : 1
    if (s.shape !== 'text') c.fill()
    c.globalAlpha = dark.matches ? 0.6 : 1
    c.strokeStyle = s.border_color || colors.line
    c.lineWidth = 1
    if (s.shape !== 'text' && (s.border_color || !s.color)) c.stroke()
    c.globalAlpha = 1
    const size = Math.min(s.text_size || 14, largestText / v.k)
    if (s.text && size * v.k >= 5) {
      c.font = `600 ${size}px system-ui, sans-serif`
      c.textAlign = 'center'
      c.textBaseline = 'middle'
      c.fillStyle = dark.matches || !s.text_color ? colors.text : s.text_color
      c.fillText(s.text, s.text_x ?? 0, s.text_y ?? 0)
    }
    c.restore()
  }

  // paintLabels paints the names of zones, while the seats are small, and a ring around the marked seat.
  function paintLabels () {
    const c = context(labels)
    c.clearRect(0, 0, width, height)
    if (seatRadius(view) < 3.6 && hall.zones.length > 1) {
      const placed = []
      const bySize = hall.zones.filter(zone => zone.name).sort((a, b) => (b.to - b.from) - (a.to - a.from))
      for (const zone of bySize) paintZone(c, zone, placed)
    }
    if (marked >= 0) {
      c.beginPath()
      c.arc(hall.x[marked] * view.k + view.x, hall.y[marked] * view.k + view.y, Math.max(7, seatRadius(view) + 3), 0, 2 * Math.PI)
      c.lineWidth = 3
      c.strokeStyle = colors.text
      c.stroke()
    }
  }

  // paintZone paints the name of a zone and how much of it is free. Without room it leaves out the number,
  // or both. placed has the boxes of the labels so far.
  function paintZone (c, zone, placed) {
    const px = (zone.left + zone.right) / 2 * view.k + view.x
    const py = (zone.top + zone.bottom) / 2 * view.k + view.y
    const count = zone.free === 0 ? 'none free' : `${zone.free.toLocaleString()} free`
    c.font = '600 13px system-ui, sans-serif'
    const name = c.measureText(zone.name).width / 2 + 8
    const small = { left: px - name, right: px + name, top: py - 11, bottom: py + 11 }
    const half = Math.max(name, c.measureText(count).width / 2 + 8)
    const large = { left: px - half, right: px + half, top: py - 19, bottom: py + 19 }
    const room = (zone.right - zone.left) * (zone.bottom - zone.top) * view.k ** 2
    const hides = box => (box.right - box.left) * (box.bottom - box.top) > 0.35 * room // too much of the zone
    const hits = box => hides(box) || placed.some(other => box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom)
    const box = hits(large) ? small : large
    if (hits(box)) return
    placed.push(box)
    c.globalAlpha = 0.92
    c.fillStyle = colors.card
    c.beginPath()
    c.roundRect(box.left, box.top, box.right - box.left, box.bottom - box.top, 8)
    c.fill()
    c.globalAlpha = 1
    c.strokeStyle = colors.hairline
    c.lineWidth = 1
    c.stroke()
    c.textAlign = 'center'
    c.textBaseline = 'middle'
    c.fillStyle = colors.text
    c.fillText(zone.name, px, box === large ? py - 8 : py)
    if (box === small) return
    c.font = '12px system-ui, sans-serif'
    c.fillStyle = colors.muted
    c.fillText(count, px, py + 9)
  }

  function restyle () {
    colors = readColors(parent)
    looks = createLooks(hall, colors, ratio)
    job = null
    stale = true
    request()
  }

  new ResizeObserver(() => {
    const box = parent.getBoundingClientRect()
    if (box.width === width && box.height === height) return
    const whole = width === 0 || view.k <= fitScale() * 1.001
    const middle = width === 0 ? null : toPlan(width / 2, height / 2)
    ;[width, height] = [box.width, box.height]
    if (width === 0 || height === 0) return
    ratio = Math.min(2, devicePixelRatio || 1)
    for (const canvas of layers) {
      canvas.width = Math.round(width * ratio)
      canvas.height = Math.round(height * ratio)
      canvas.style.width = width + 'px'
      canvas.style.height = height + 'px'
    }
    painted = null
    restyle()
    moveTo(whole ? { k: fitScale(), x: 0, y: 0 } : { k: view.k, x: width / 2 - middle[0] * view.k, y: height / 2 - middle[1] * view.k })
  }).observe(parent)
  dark.addEventListener('change', restyle)
  back.hidden = true

  // Pointers: one drags, two pinch, and one that did not move clicks.
  const pointers = new Map()
  let moved = false
  const at = e => {
    const box = parent.getBoundingClientRect()
    return [e.clientX - box.left, e.clientY - box.top]
  }
  const seatAt = (px, py, slack) => hall.nearest(...toPlan(px, py), (hall.radius + slack / view.k))

  parent.addEventListener('pointerdown', e => {
    if (e.button !== 0) return
    moved = moved && pointers.size > 0
    pointers.set(e.pointerId, at(e))
    on.hover(-1)
  })
  parent.addEventListener('pointermove', e => {
    const now = at(e)
    const before = pointers.get(e.pointerId)
    if (!before) {
      const i = e.pointerType === 'mouse' ? seatAt(...now, 1) : -1
      parent.classList.toggle('on-seat', i >= 0)
      return on.hover(i, ...now)
    }
    if (!moved && Math.hypot(now[0] - before[0], now[1] - before[1]) < 5) return
    if (!moved) parent.setPointerCapture(e.pointerId)
    moved = true
    const others = [...pointers].filter(([id]) => id !== e.pointerId).map(([, point]) => point)
    pointers.set(e.pointerId, now)
    if (others.length === 0) return moveTo({ k: view.k, x: view.x + now[0] - before[0], y: view.y + now[1] - before[1] })
    const other = others[0]
    const spread = point => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1
    const middle = point => [(point[0] + other[0]) / 2, (point[1] + other[1]) / 2]
    const to = zoomed(spread(now) / spread(before), ...middle(before))
    const [a, b] = [middle(before), middle(now)]
    moveTo({ k: to.k, x: to.x + b[0] - a[0], y: to.y + b[1] - a[1] })
  })
  const release = e => {
    const began = pointers.get(e.pointerId)
    pointers.delete(e.pointerId)
    if (began && !moved && pointers.size === 0 && e.type === 'pointerup') click(...began, e.pointerType !== 'mouse')
    if (pointers.size === 0) moved = false
  }
  parent.addEventListener('pointerup', release)
  parent.addEventListener('pointercancel', release)
  parent.addEventListener('pointerleave', () => on.hover(-1))
  parent.addEventListener('wheel', e => {
    e.preventDefault()
    const lines = e.deltaMode === 1 ? 16 : 1
    moveTo(zoomed(Math.exp(-Math.max(-60, Math.min(60, e.deltaY * lines)) * (e.ctrlKey ? 0.01 : 0.0035)), ...at(e)))
  }, { passive: false })
  parent.addEventListener('dblclick', e => {
    if (seatAt(...at(e), 1) < 0) glideToView(zoomed(2, ...at(e)))
  })

  // click picks the seat at a point, or zooms in if the seats are too small to be meant.
  function click (px, py, touch) {
    const r = seatRadius(view)
    if (r >= (touch ? smallForTouch : smallSeat)) {
      const i = seatAt(px, py, touch ? 8 : 2)
      return i >= 0 && on.pick(i)
    }
    const near = hall.nearest(...toPlan(px, py), 40 / view.k)
    if (near < 0) return
    const zone = hall.zones[hall.rows[hall.rowOf[near]].zone]
    const whole = around(zone.left - 30, zone.top - 30, zone.right + 30, zone.bottom + 30)
    if (hall.zones.length > 1 && whole.k > view.k * 1.2) return glideToView(whole)
    const k = (touch ? 15 : 11) / hall.radius
    glideToView({ k, x: px - (px - view.x) * k / view.k, y: py - (py - view.y) * k / view.k })
  }

  return {
    // repaint paints seats again.
    repaint (seats) {
      for (const i of seats) changed.add(i)
      request()
    },
    repaintAll () {
      stale = true
      request()
    },
    zoomBy: factor => glideToView(zoomed(factor, width / 2, height / 2, glideTo?.to ?? view)),
    panBy: (dx, dy) => glideToView({ k: view.k, x: view.x + dx, y: view.y + dy }),
    showWhole: () => glideToView({ k: fitScale(), x: 0, y: 0 }),
    isWhole: () => view.k <= fitScale() * 1.001,
    isClosest: () => view.k >= maxScale() * 0.999,

    // mark draws a ring around a seat; -1 removes it.
    mark (i) {
      marked = i
      request()
    },

    // reveal moves the view so that a seat is in it, large enough to be told from its neighbours.
    reveal (i) {
      if (width === 0) return
      const k = Math.max(view.k, Math.min(maxScale(), 10 / hall.radius))
      const [px, py] = [hall.x[i] * view.k + view.x, hall.y[i] * view.k + view.y]
      const inside = px > 40 && py > 40 && px < width - 40 && py < height - 40
      if (inside && k === view.k) return
      glideToView({ k, x: width / 2 - hall.x[i] * k, y: height / 2 - hall.y[i] * k })
    },

    // place returns where a seat is on the screen.
    place: i => [hall.x[i] * view.k + view.x, hall.y[i] * view.k + view.y]
  }
}
