// The form that finds the best seats: the number, the place and the category.

import { byId, element } from './dom.js'

// createBest fills the form with what the plan offers. find(members) makes the call, and is given the
// members of its body.
export function createBest (plan, maxSeats, find) {
  const zones = [...new Set(plan.zones.map(zone => zone.name))].filter(Boolean)
  const seated = plan.zones.length > 0
  const where = byId('best-where')
  const add = (select, text, value) => select.append(element('option', { textContent: text, value }))
  if (seated) add(where, 'Anywhere', '')
  if (zones.length > 1) zones.forEach(zone => add(where, zone, 'zone ' + zone))
  plan.areas.forEach(area => add(where, `${area.area_id} (standing)`, 'area ' + area.area_id))
  const used = new Set(plan.zones.flatMap(zone => zone.rows.flatMap(row => row.categories)))
  const category = byId('best-category')
  add(category, 'Any category', '')
  plan.categories.forEach(({ name }, n) => { if (used.has(n)) add(category, name, name) })

  byId('best-quantity').max = maxSeats
  byId('best-where-field').hidden = where.options.length < 2
  const isArea = () => where.value.startsWith('area ')
  const show = () => {
    byId('best-category-field').hidden = isArea() || category.options.length < 3
    byId('best-adjacent-field').hidden = isArea()
  }
  where.addEventListener('change', show)
  show()
  byId('best').open = matchMedia('(min-width: 56rem)').matches // on a phone the map needs the room

  byId('best-form').addEventListener('submit', e => {
    e.preventDefault()
    const members = { quantity: Number(byId('best-quantity').value) }
    const [kind, name] = [where.value.slice(0, 4), where.value.slice(5)]
    if (kind === 'zone') members.zone = name
    if (kind === 'area') members.area_id = name
    else {
      if (category.value) members.category = category.value
      members.adjacent = byId('best-adjacent').checked
    }
    find(members)
  })

  return {
    // offer sets how many seats to find, and lets them be apart.
    offer (quantity, adjacent) {
      byId('best-quantity').value = quantity
      byId('best-adjacent').checked = adjacent
    }
  }
}
