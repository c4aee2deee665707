'use strict'
// Spans of a calendar, in UTC: 1d, 2w, 3mo, 1y. Times are milliseconds since 1970.

const DAY = 86_400_000
// Weeks begin on a Monday: the first one of 1970 was the fifth of January.
const MONDAY = 4 * DAY

const DAYS = { d: 1, w: 7 }
const MONTHS = { mo: 1, y: 12 }

/**
 * @typedef {object} Span
 * @property {number} days 0 where it is months
 * @property {number} months
 * @property {number} origin what its periods are counted from, in days or months
 */

/**
 * @param {string} text
 * @returns {Span|null} null: it is none
 */
function parseSpan (text) {
  const [, number, unit] = /^([1-9]\d{0,3})(d|w|mo|y)$/.exec(text) ?? []
  if (number === undefined) return null
  return { days: Number(number) * (DAYS[unit] ?? 0), months: Number(number) * (MONTHS[unit] ?? 0), origin: unit === 'w' ? MONDAY : 0 }
}

const monthsOf = ms => {
  const date = new Date(ms)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}
const startOf = months => Date.UTC(Math.floor(months / 12), months % 12)

/** The beginning of the period that a moment is in. */
function floor (ms, { days, months, origin }) {
  if (months > 0) return startOf(Math.floor(monthsOf(ms) / months) * months)
  return Math.floor((ms - origin) / (days * DAY)) * days * DAY + origin
}

/** The beginning of the period behind one that begins then. */
const next = (ms, { days, months }) => months > 0 ? startOf(monthsOf(ms) + months) : ms + days * DAY

/** The same time of day, so much earlier; the last day of a month where that has less of them. */
function before (ms, { days, months }) {
  if (months === 0) return ms - days * DAY
  const start = startOf(monthsOf(ms) - months)
  const last = startOf(monthsOf(ms) - months + 1) - DAY
  return Math.min(start + (new Date(ms).getUTCDate() - 1) * DAY, last) + ms % DAY
}

/** 2026, 2026_12 or 2026_12_01, as the span needs it. */
function nameOf (ms, { months }) {
  const day = new Date(ms).toISOString().slice(0, 10)
  return day.slice(0, months === 0 ? 10 : months % 12 === 0 ? 4 : 7).replaceAll('-', '_')
}

module.exports = { before, floor, nameOf, next, parseSpan }
