'use strict'
// Which day an archive is of. Used on both sides; days are numbers, counted in
// UTC from 1970.

const DAY_MS = 86_400_000

// 2026-11-09 (ours) or 20261109 (logrotate's dateext), not as part of a longer number.
const DATE = /(?<!\d)(20\d\d)(-?)(\d\d)\2(\d\d)(?!\d)/

/** The day in a name, or that of the last change where it has none. */
function logDay (name, mtimeMs) {
  const match = DATE.exec(name)
  if (match) {
    const [, year, , month, day] = match.map(Number)
    const date = new Date(Date.UTC(year, month - 1, day))
    if (date.getUTCMonth() === month - 1 && date.getUTCDate() === day) return date.getTime() / DAY_MS
  }
  return Math.floor(mtimeMs / DAY_MS)
}

function hasDate (name) {
  return DATE.test(name)
}

const dayOf = ms => Math.floor(ms / DAY_MS)

/** 2026-11-09 */
const dayText = day => new Date(day * DAY_MS).toISOString().slice(0, 10)

module.exports = { DAY_MS, dayOf, dayText, hasDate, logDay }
