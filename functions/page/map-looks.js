// How a seat looks on the canvas: its color and mark by state. Each state has a mark of its own for
// those who don't see its color. A look is drawn once for each size, and then copied.

// readColors returns the colors of the page's style, which depend on the theme.
export function readColors (element) {
  const style = getComputedStyle(element)
  const names = ['background', 'card', 'text', 'muted', 'line', 'hairline', 'accent', 'chosen', 'held', 'bought', 'on-colour', 'taken', 'stripe', 'sold', 'seat']
  return Object.fromEntries(names.map(name => [name, style.getPropertyValue('--' + name).trim() || '#888']))
}

// readable returns black or white, the one that can be read on a color.
function readable (color) {
  const context = document.createElement('canvas').getContext('2d')
  context.fillStyle = color
  context.fillRect(0, 0, 1, 1)
  const linear = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)
    .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
  return luminance > 0.179 ? '#000' : '#fff'
}

// createLooks returns the looks of a hall's seats in these colors, on a screen with ratio pixels a unit.
export function createLooks (hall, colors, ratio) {
  const inks = new Map()
  const ink = color => inks.get(color) ?? inks.set(color, readable(color)).get(color)
  const colorOf = i => hall.categories[hall.category[i]]?.color ?? colors.seat
  const fills = [null, colors.chosen, colors.held, colors.bought, colors.card, colors.taken, colors.card]
  const sprites = new Map()

  const marks = {
    1: (c, r) => { line(c, [[-0.45, 0], [-0.1, 0.38], [0.5, -0.38]], r) },
    2: (c, r) => { polygon(c, [[0, -0.55], [0.5, 0], [0, 0.55], [-0.5, 0]], r) },
    3: (c, r) => { polygon(c, Array.from({ length: 10 }, (_, n) => [n, n % 2 ? 0.27 : 0.64]).map(([n, size]) => [size * Math.sin(n * Math.PI / 5), -size * Math.cos(n * Math.PI / 5)]), r) },
    4: (c, r) => { line(c, [[-0.35, 0.35], [0.35, -0.35]], r) },
    5: (c, r) => { line(c, [[-0.38, -0.38], [0.38, 0.38]], r); line(c, [[-0.38, 0.38], [0.38, -0.38]], r) },
    6: (c, r) => { line(c, [[-0.4, 0], [0.4, 0]], r) }
  }

  function path (c, points, r) {
    c.beginPath()
    points.forEach(([px, py], n) => n ? c.lineTo(px * r, py * r) : c.moveTo(px * r, py * r))
  }
  function line (c, points, r) {
    path(c, points, r)
    c.lineWidth = Math.max(1.2, r * 0.2)
    c.stroke()
  }
  function polygon (c, points, r) {
    path(c, points, r)
    c.fill()
  }

  // sprite returns a canvas with a look. Its middle is the seat's.
  function sprite (state, color, radius, dim) {
    const key = `${state === 0 ? color : state} ${radius} ${dim}`
    const known = sprites.get(key)
    if (known) return known
    if (sprites.size > 400) sprites.clear() // a zoom has many sizes
    const half = Math.ceil(radius + 1.5)
    const canvas = document.createElement('canvas')
    canvas.width = canvas.height = Math.ceil(2 * half * ratio)
    const c = canvas.getContext('2d')
    c.setTransform(ratio, 0, 0, ratio, canvas.width / 2, canvas.width / 2)
    c.globalAlpha = dim ? 0.22 : 1
    const isOwn = state >= 1 && state <= 3
    const r = isOwn ? radius : state === 0 ? radius * 0.95 : radius * 0.82
    c.beginPath()
    c.arc(0, 0, r, 0, 2 * Math.PI)
    c.fillStyle = fills[state] ?? color
    c.fill()
    if (state === 4 || state === 6) {
      c.strokeStyle = colors.sold
      c.lineWidth = 1
      c.setLineDash(state === 4 ? [2, 2] : [])
      c.stroke()
      c.setLineDash([])
    }
    if (radius >= 4.5 && marks[state]) {
      c.strokeStyle = c.fillStyle = state >= 4 ? colors.sold : ink(fills[state])
      c.lineCap = c.lineJoin = 'round'
      marks[state](c, r)
    }
    const made = { canvas, half: canvas.width / 2 / ratio }
    sprites.set(key, made)
    return made
  }

  return {
    // paint draws a seat of a radius at a point of the context.
    paint (context, i, px, py, radius, dim) {
      const state = hall.state[i]
      if (radius < 2.2) {
        const size = Math.max(1.2, radius * (state >= 4 ? 1.4 : 1.9))
        context.globalAlpha = dim ? 0.22 : 1
        context.fillStyle = state >= 4 ? colors.stripe : fills[state] ?? colorOf(i)
        context.fillRect(px - size / 2, py - size / 2, size, size)
        context.globalAlpha = 1
        return
      }
      const look = sprite(state, colorOf(i), radius, dim)
      context.drawImage(look.canvas, px - look.half, py - look.half, 2 * look.half, 2 * look.half)
      if (state === 0 && radius >= 9 && !dim) {
        context.fillStyle = ink(colorOf(i))
        context.fillText(hall.numbers[i], px, py + 0.5, 2 * radius - 3)
      }
    }
  }
}
