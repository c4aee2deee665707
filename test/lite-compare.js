'use strict'
// How test/lite.js compares, as tap does: equal() for same and strictSame,
// matches() for match, throws and rejects.

const isObject = value => typeof value === 'object' && value !== null
const tag = value => Object.prototype.toString.call(value)

// Deep equality. Loose (`strict` false): primitives as == has them, and classes
// do not count; strict: === but NaN equals NaN.
function equal (a, b, strict, seen = new Map()) {
  if (Object.is(a, b)) return true
  if (!isObject(a) || !isObject(b)) {
    if (typeof a === 'function' || typeof b === 'function') return false
    // eslint-disable-next-line eqeqeq
    return strict ? a === b : !isObject(a) && !isObject(b) && a == b
  }
  if (tag(a) !== tag(b) || Array.isArray(a) !== Array.isArray(b)) return false
  if (strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (seen.get(a) === b) return true
  seen.set(a, b)
  if (a instanceof Date) return a.getTime() === b.getTime()
  if (a instanceof RegExp) return String(a) === String(b)
  if (ArrayBuffer.isView(a)) return bytes(a).equals(bytes(b))
  if (a instanceof Map || a instanceof Set) {
    return equal([...a], [...b], strict, seen)
  }
  if (a instanceof Error && (a.message !== b.message || a.name !== b.name)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every(key =>
    Object.hasOwn(b, key) && equal(a[key], b[key], strict, seen))
}

function bytes (view) {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength)
}

// Whether `found` has what `pattern` names: a RegExp tests the text, a class its
// instances, an object its own keys and no others, a string a part of a string.
function matches (found, pattern) {
  if (Object.is(found, pattern)) return true
  if (pattern instanceof RegExp) {
    return found instanceof RegExp ? String(found) === String(pattern) : pattern.test(String(found))
  }
  if (typeof pattern === 'function') return isA(found, pattern)
  if (typeof pattern === 'string' && typeof found === 'string') {
    return pattern !== '' && found.includes(pattern)
  }
  if (!isObject(pattern)) {
    // eslint-disable-next-line eqeqeq
    return !isObject(found) && found == pattern
  }
  if (!isObject(found) && typeof found !== 'function') return false
  if (pattern instanceof Date || ArrayBuffer.isView(pattern)) return equal(found, pattern, false)
  if (pattern instanceof Map || pattern instanceof Set) return matches([...found], [...pattern])
  if (pattern instanceof Error && found.message !== pattern.message) return false
  return Object.keys(pattern).every(key => matches(found[key], pattern[key]))
}

function isA (found, type) {
  const primitives = [[String, 'string'], [Number, 'number'], [Boolean, 'boolean'], [BigInt, 'bigint'], [Symbol, 'symbol']]
  const primitive = primitives.find(([wrapper]) => wrapper === type)
  const kind = typeof found
  if (primitive) return kind === primitive[1]
  if (type === Function) return typeof found === 'function'
  return found === type || (type.prototype !== undefined && found instanceof type)
}

module.exports = { equal, matches }
