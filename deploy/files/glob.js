'use strict'

// Patterns of `include` and `ignore`: paths relative to the source, with '/'.
//
//   *  any characters of one name      ?  one character
//   ** any number of folders           [abc] [a-z] [!a]  one of them
//   {a,b}  one or the other            a name of a folder means all that is in it
//
// A leading dot is a character like any other: what is to stay here is ignored
// by its name.

const { DeployError } = require('../errors')

const MOST_ALTERNATIVES = 1000

class Patterns {
  #list

  /**
   * @param {string[]} patterns
   * @param {string} field their name in the configuration, for errors
   * @throws UC_DEPLOY_CONFIG
   */
  constructor (patterns, field) {
    this.#list = patterns.flatMap(pattern => alternatives(checked(pattern, field), field)
      .map(text => segments(text, pattern, field)))
  }

  /** Whether a path, or a folder that it is in, is meant. */
  has (path) {
    const names = path.split('/')
    return this.#list.some(pattern => matches(pattern, 0, names, 0))
  }

  /** Whether something in the folder could be meant. */
  reaches (folder) {
    const names = folder.split('/')
    return this.#list.some(pattern => leads(pattern, 0, names, 0))
  }
}

/** All names of the pattern are used up: what is below belongs to it. */
function matches (pattern, p, names, n) {
  if (p === pattern.length) return true
  if (pattern[p] === null) {
    for (let skip = n; skip <= names.length; skip++) if (matches(pattern, p + 1, names, skip)) return true
    return false
  }
  return n < names.length && pattern[p].test(names[n]) && matches(pattern, p + 1, names, n + 1)
}

function leads (pattern, p, names, n) {
  if (n === names.length || p === pattern.length || pattern[p] === null) return true
  return pattern[p].test(names[n]) && leads(pattern, p + 1, names, n + 1)
}

function checked (pattern, field) {
  const text = pattern.replace(/^\.\//, '').replace(/\/+$/, '')
  if (text.startsWith('!')) throw wrong(field, pattern, 'a pattern does not begin with \'!\': `ignore` takes away from `include`')
  if (text.startsWith('/') || text.split('/').includes('..')) throw wrong(field, pattern, 'a pattern is relative to the source, and stays in it')
  if (text === '' || text === '.') return '**'
  return text
}

/** {a,b} written out; they may be nested. */
function alternatives (text, field) {
  let out = ['']
  let at = 0
  while (at < text.length) {
    const char = text[at]
    const end = char === '{' ? closing(text, at) : -1
    if (end > 0) {
      const inner = split(text.slice(at + 1, end)).flatMap(part => alternatives(part, field))
      out = out.flatMap(left => inner.map(right => left + right))
      at = end + 1
    } else {
      out = out.map(left => left + char)
      at++
    }
    if (out.length > MOST_ALTERNATIVES) throw wrong(field, text, `it stands for more than ${MOST_ALTERNATIVES} patterns`)
  }
  return out
}

function closing (text, from) {
  let depth = 0
  for (let i = from; i < text.length; i++) {
    if (text[i] === '{') depth++
    if (text[i] === '}' && --depth === 0) return i
  }
  return -1
}

function split (text) {
  const parts = ['']
  let depth = 0
  for (const char of text) {
    if (char === '{') depth++
    if (char === '}') depth--
    if (char === ',' && depth === 0) parts.push('')
    else parts[parts.length - 1] += char
  }
  return parts
}

/** -> [RegExp for a name | null for '**', …] */
function segments (text, pattern, field) {
  const out = []
  for (const part of text.split('/')) {
    if (part === '') continue
    if (part !== '**') out.push(new RegExp(`^${nameSource(part, pattern, field)}$`, 'us'))
    else if (out.at(-1) !== null) out.push(null)
  }
  return out
}

function nameSource (part, pattern, field) {
  let out = ''
  for (let at = 0; at < part.length; at++) {
    const char = part[at]
    const end = char === '[' ? part.indexOf(']', at + 2) : -1
    if (char === '*') {
      while (part[at + 1] === '*') at++
      out += '.*'
    } else if (char === '?') {
      out += '.'
    } else if (end > 0) {
      const body = part.slice(at + 1, end).replace(/^!/, '^').replace(/[\\[\]&|~]/g, '\\$&')
      out += `[${body}]`
      at = end
    } else {
      out += char.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
    }
  }
  try {
    RegExp(out, 'us')
  } catch {
    throw wrong(field, pattern, 'the characters in [] are no range')
  }
  return out
}

const wrong = (field, pattern, why) =>
  new DeployError('UC_DEPLOY_CONFIG', `${field}: ${JSON.stringify(pattern)}: ${why}`, { details: { why } })

module.exports = { Patterns }
