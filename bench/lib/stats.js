'use strict'

// Order statistics of small samples. A median with its range says all that five
// to nine rounds can honestly say.

function median (values) {
  return quantile(values, 0.5)
}

/**
 * The value below which the share `q` of the values lies, interpolated between
 * neighbours. NaN for an empty list.
 */
function quantile (values, q) {
  if (values.length === 0) return NaN
  const sorted = Float64Array.from(values).sort()
  const at = (sorted.length - 1) * q
  const low = Math.floor(at)
  const high = Math.ceil(at)
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low)
}

/** { median, min, max } of a list of numbers. */
function summary (values) {
  return {
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values)
  }
}

/**
 * How many times better `ours` is than `theirs`, round by round. Both were
 * measured within a second of each other in every round, so what the machine
 * did meanwhile falls out of the quotient.
 */
function ratios (ours, theirs, better) {
  const n = Math.min(ours.length, theirs.length)
  const out = []
  for (let i = 0; i < n; i++) {
    out.push(better === 'lower' ? theirs[i] / ours[i] : ours[i] / theirs[i])
  }
  return out
}

module.exports = { median, quantile, summary, ratios }
