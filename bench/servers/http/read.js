'use strict'

// What the servers by hand check of what they are asked.

/** Becomes 400. */
class Wrong extends Error {}

function integer (name, text, least, most) {
  const value = Number(text)
  if (text === undefined || text === '' || !Number.isInteger(value) || value < least || value > most) {
    throw new Wrong(`${name}: ${least} to ${most}`)
  }
  return value
}

/** How many rows a test of TechEmpower wants: 1 to 500, and 1 for what is no number. */
function count (value) {
  const number = Math.trunc(Number(value))
  return number >= 1 ? Math.min(number, 500) : 1
}

module.exports = { Wrong, integer, count }
