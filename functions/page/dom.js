// element returns a new element with these properties.
export function element (name, properties = {}) {
  return Object.assign(document.createElement(name), properties)
}

// byId returns the element of the page with an id.
export const byId = id => document.getElementById(id)
