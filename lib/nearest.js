'use strict'
// What somebody meant who mistyped a name.

/**
 * @param {string} name
 * @param {string[]} known
 * @returns {string|null} the known name that is at most two edits away
 */
function nearest (name, known) {
  const [best] = known.map(word => ({ word, edits: distance(name, word) }))
    .sort((a, b) => a.edits - b.edits)
  return best && best.edits <= 2 ? best.word : null
}

function distance (a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}

module.exports = { nearest }
