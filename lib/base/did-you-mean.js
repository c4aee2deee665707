'use strict'
// What somebody meant who mistyped a name, as the second half of a sentence.

const MAX_LISTED = 12

// Edits between two words, given up beyond `limit`.
function distance (a, b, limit) {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let before = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    let best = i
    for (let j = 1; j <= b.length; j++) {
      const change = before[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      row[j] = Math.min(change, before[j] + 1, row[j - 1] + 1)
      if (row[j] < best) best = row[j]
    }
    if (best > limit) return limit + 1
    before = row
  }
  return before[b.length]
}

/**
 * The names close to a wrong one, closest first.
 *
 * @param {string} name
 * @param {string[]} names
 */
function near (name, names) {
  const word = name.toLowerCase()
  const limit = word.length < 4 ? 1 : word.length < 8 ? 2 : 3
  const found = []
  for (const each of names) {
    const other = each.toLowerCase()
    const edits = distance(word, other, limit)
    if (edits <= limit) found.push([edits, each])
    else if (word.length > 2 && (other.startsWith(word) || word.startsWith(other))) found.push([limit + 1, each])
  }
  return found.sort((a, b) => a[0] - b[0]).map(([, each]) => each)
}

function list (names) {
  const shown = names.slice(0, MAX_LISTED).map((name) => `"${name}"`).join(', ')
  return names.length > MAX_LISTED ? `${shown} and ${names.length - MAX_LISTED} more` : shown
}

// The second half of a "there is no ..." sentence: what there is instead.
function instead (name, names) {
  if (names.length === 0) return 'there are none'
  const close = near(name, names)
  return close.length > 0 ? `did you mean ${list(close)}?` : `there are ${list(names)}`
}

// The same for options, of which all are told.
function known (name, names) {
  const close = near(name, names)
  return close.length > 0 ? `did you mean ${list(close)}?` : `known are ${names.join(', ')}`
}

/** The known name that is closest, or null. */
function nearest (name, names) {
  return near(name, names)[0] ?? null
}

module.exports = { instead, known, list, near, nearest }
