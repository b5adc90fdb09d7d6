// Names of seats, and lists of them, in words.

const list = new Intl.ListFormat('en')
const hasLetter = text => /[^0-9]/.test(text)

// createNames returns functions that name the seats of a plan: seatOf(id) is {zone, row, number,
// category, color}; nameOf(id) is short, like Stalls A12; namesOf(ids) lists them.
export function createNames (plan, seatMap) {
  const places = new Map(plan.areas.map(area => [area.area_id, area]))
  const zones = new Set(plan.zones.map(zone => zone.name)).size + plan.areas.length

  function seatOf (id) {
    const seat = seatMap.seat(id)
    if (seat) return seat
    const dot = id.lastIndexOf('.')
    const area = places.get(id.slice(0, dot))
    if (!area) return { zone: '', row: '', number: id, category: '' }
    const { name = '', color } = plan.categories[area.category] ?? {}
    return { zone: area.area_id, row: '', number: id.slice(dot + 1), category: name, color, isPlace: true }
  }

  function nameOf (id) {
    const { zone, row, number } = seatOf(id)
    const seat = hasLetter(row) || hasLetter(number) || !row ? row + number : `${row}/${number}`
    return zone && zones > 1 ? `${zone} ${seat}` : seat
  }

  return { seatOf, nameOf, namesOf: ids => list.format(ids.map(nameOf)) }
}

// placeOf says where a seat is: row and seat, or the place of an area.
export function placeOf ({ zone, row, number, isPlace }) {
  if (isPlace) return `${zone}, place ${number}`
  return [zone, row && `row ${row}`, `seat ${number}`].filter(Boolean).join(', ').replace(/^./, first => first.toUpperCase())
}
