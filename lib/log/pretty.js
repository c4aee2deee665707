'use strict'

// A line made readable: the time of day, the level, what it says, the other fields
// as name=value, an error's stack below.

const { names, find } = require('./levels')

const HIDDEN = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'err'])
const COLOURS = { 10: '90', 20: '34', 30: '32', 40: '33', 50: '31', 60: '41;97' }

/** Whether colours are wanted: NO_COLOR and FORCE_COLOR count for more than the terminal. */
function wantsColours (isTerminal, env = process.env) {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0'
  return isTerminal && env.TERM !== 'dumb'
}

// Fields of the data that have the name of one of ours; see parse.
const TWICE = Symbol('twice')
// What the line itself has as text, and we as a number.
const SAID = Symbol('said')

/**
 * @param {string} line one line; what is no line of a log stays as it is but for control characters
 * @param {boolean} colours
 * @param {object} [parsed] the line's object, if it is known
 * @param {{ date?: boolean }} [options] date: the day as well
 */
function pretty (line, colours, parsed = parse(line), { date = false } = {}) {
  if (parsed === undefined) return plain(line)
  const paint = colours ? (code, text) => `\x1b[${code}m${text}\x1b[0m` : (_, text) => text
  const { level, time, name, msg, err } = parsed
  const parts = [
    paint('90', timeText(time, date)),
    paint(COLOURS[level] ?? '0', String(names[level] ?? level).toUpperCase().padEnd(5))
  ]
  if (name !== undefined) parts.push(paint('90', plain(name)))
  if (msg !== undefined) parts.push(colours ? paint('1', plain(msg)) : plain(msg))
  for (const [field, value] of Object.entries(parsed[TWICE] ?? NONE)) parts.push(fieldText(field, value, paint))
  for (const [field, value] of Object.entries(parsed)) {
    if (!HIDDEN.has(field) || (field === 'err' && !isError(err))) parts.push(fieldText(field, value, paint))
  }
  return parts.join(' ') + '\n' + (isError(err) ? errorText(err, paint) : '')
}

const NONE = {}
// How a line of ours begins, and one of pino.
const HEAD = /^\{"level":(\d+)(?:,"time":(-?\d+(?:\.\d+)?))?[,}]/

/**
 * The object of a line, or undefined: it is none of a log. Data may have a `level` and a
 * `time` of its own behind those of the line, which are what counts.
 */
function parse (line) {
  if (!line.startsWith('{')) return undefined
  let value
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  const head = HEAD.exec(line)
  if (head !== null) {
    ours(value, 'level', Number(head[1]))
    if (head[2] !== undefined) ours(value, 'time', Number(head[2]))
  }
  // As formatters.level and timestamp of a log may have them.
  if (typeof value.level === 'string') said(value, 'level', find(value.level))
  if (typeof value.time === 'string') said(value, 'time', Date.parse(value.time))
  return typeof value.level === 'number' ? value : undefined
}

function said (value, name, number) {
  if (number === undefined || Number.isNaN(number)) return
  value[SAID] = { ...value[SAID], [name]: value[name] }
  value[name] = number
}

/** The level and the time of a line that `parse` would find, as far as its beginning tells them. */
function glance (line) {
  const head = HEAD.exec(line)
  if (head === null) return undefined
  return { level: Number(head[1]), time: head[2] === undefined ? undefined : Number(head[2]) }
}

function ours (value, name, own) {
  if (value[name] === own) return
  value[TWICE] = { ...value[TWICE], [name]: value[name] }
  value[name] = own
}

/** A field of a line that `parse` has found under the name of one of its own, or as a text. */
function twice (object, name) {
  return object[TWICE]?.[name] ?? object[SAID]?.[name]
}

function timeText (time, date) {
  const at = new Date(time)
  if (Number.isNaN(at.getTime())) return plain(String(time))
  const two = (n) => String(n).padStart(2, '0')
  const day = date ? `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ` : ''
  return `${day}${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`
}

function fieldText (field, value, paint) {
  return `${paint('36', plain(field))}${paint('90', '=')}${valueText(value)}`
}

function valueText (value) {
  return typeof value === 'string' && /^[^\s"'=\p{C}]+$/u.test(value) ? value : plain(JSON.stringify(value))
}

// Text of others must not move the cursor of the terminal: its control characters are shown.
function plain (value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.replace(/[\p{Cc}]/gu, (c) => c === '\n' || c === '\t' ? c : `\\x${c.codePointAt(0).toString(16).padStart(2, '0')}`)
}

function isError (err) {
  return typeof err === 'object' && err !== null && typeof err.message === 'string'
}

function errorText (err, paint, depth = 1) {
  const indent = '    '.repeat(depth)
  const { type = 'Error', message, stack, cause, aggregateErrors, ...rest } = err
  const text = typeof stack === 'string' && stack !== '' ? stack : `${type}: ${message}`
  let out = plain(text).split('\n').map((line, i) => `${indent}${i === 0 ? paint('31', line) : paint('90', line.trimStart().padStart(line.trimStart().length + 2))}\n`).join('')
  for (const [field, value] of Object.entries(rest)) out += `${indent}  ${fieldText(field, value, paint)}\n`
  if (depth > 4) return out
  for (const each of [cause, ...(Array.isArray(aggregateErrors) ? aggregateErrors : [])]) {
    if (isError(each)) out += `${indent}${paint('90', each === cause ? 'caused by' : 'one of them')}\n${errorText(each, paint, depth + 1)}`
  }
  return out
}

module.exports = { pretty, parse, glance, plain, twice, wantsColours }
