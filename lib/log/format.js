'use strict'

// log.info('disk %d%%', 91): %s %d %f %i %j %o %O %% as pino has them. What has no
// argument stays as it is; arguments that are left over are not used.

/**
 * @param {string} f
 * @param {ArrayLike} args
 * @param {number} at the index of the first argument
 * @param {Function} json value -> JSON text
 */
function format (f, args, at, json) {
  let out = ''
  let from = 0
  for (let i = f.indexOf('%'); i >= 0 && i < f.length - 1; i = f.indexOf('%', i)) {
    const c = f.charCodeAt(i + 1)
    let text
    if (c === 0x25) text = '%'
    else if (at < args.length) text = convert(c, args[at], json)
    if (text === undefined) {
      // An argument that does not fit is passed over.
      if (isConversion(c)) at++
      i++
      continue
    }
    if (c !== 0x25) at++
    out += f.slice(from, i) + text
    i = from = i + 2
  }
  return from === 0 ? f : out + f.slice(from)
}

function isConversion (c) {
  return c === 0x64 || c === 0x66 || c === 0x69 || c === 0x4f || c === 0x6f || c === 0x6a || c === 0x73
}

function convert (c, value, json) {
  switch (c) {
    case 0x73: return toText(value, json)
    case 0x64:
    case 0x66: return value === null || value === undefined ? undefined : String(toNumber(value))
    case 0x69: return value === null || value === undefined ? undefined : String(Math.floor(toNumber(value)))
    case 0x4f:
    case 0x6f:
    case 0x6a:
      if (value === undefined) return undefined
      if (typeof value === 'string') return `'${value}'`
      if (typeof value === 'function') return nameOf(value)
      return json(value)
    default: return undefined
  }
}

function nameOf (fn) {
  try {
    const { name } = fn
    return typeof name === 'string' && name !== '' ? name : '<anonymous>'
  } catch {
    return '<anonymous>'
  }
}

function toNumber (value) {
  try {
    return Number(value)
  } catch {
    return NaN
  }
}

function toText (value, json) {
  try {
    return String(value)
  } catch {
    // No prototype, or a toString that throws.
    return json(value)
  }
}

module.exports = { format }
