'use strict'

// Numbers for people.

/** 1234567 -> '1.23 M'; three digits that mean something. */
function amount (value) {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size >= 999500) return `${three(value / 1e6)} M`
  if (size >= 9995) return `${three(value / 1e3)} k`
  return three(value)
}

function three (value) {
  const size = Math.abs(value)
  if (size >= 100) return value.toFixed(0)
  if (size >= 10) return value.toFixed(1)
  return value.toFixed(2)
}

/** A value with its unit: '1.23 M gets/s', '12.0 µs'. */
const withUnit = (value, unit) => `${amount(value)} ${unit}`

/** 4.031 -> '4.03×' */
const times = value => Number.isFinite(value) ? `${three(value)}×` : '–'

const percent = share => `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`

module.exports = { amount, withUnit, times, percent, three }
