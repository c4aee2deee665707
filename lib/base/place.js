'use strict'

// Where a database is: a path, ':memory:', or a file URL, in each of its spellings that other
// clients of SQLite know: file:///abs/app.db, file:app.db, file:/abs/app.db, file::memory:.

const { builtin } = require('./builtin')
const path = builtin('node:path')
const { fileURLToPath } = builtin('node:url')
const { UndercroftError, describe } = require('./errors')

const MEMORY = ':memory:'

// What SQLite, Prisma and libsql take behind the question mark, and what says it here.
const INSTEAD = Object.freeze({
  __proto__: null,
  mode: Object.freeze({
    __proto__: null,
    ro: 'give open the option readonly: true',
    rw: 'give open the option create: false',
    rwc: 'leave it out: a file that is not there is made',
    memory: "the target ':memory:' is a database in memory"
  }),
  cache: 'leave it out: all handles of a process on one file share one core',
  immutable: 'give open the option readonly: true',
  connection_limit: 'leave it out: the options readers and cursors say how many connections there are',
  socket_timeout: 'give open the option busyTimeoutMs, in milliseconds',
  timeout: 'give open the option busyTimeoutMs, in milliseconds'
})

const isFileUrl = (value) => value instanceof URL ? value.protocol === 'file:' : /^file:/i.test(value)

/**
 * @param {string|URL} value
 * @param {string} what begins the error's text: 'open', 'option attach.name'
 * @returns {string} an absolute path, ':memory:', or '' as it was
 * @throws {UndercroftError} UC_OPTION
 */
function readPlace (value, what) {
  const name = isFileUrl(value) ? fromUrl(value, what) : value
  if (name.includes('\0')) throw refusal(what, value, 'the path holds a NUL character')
  return name === '' || name === MEMORY ? name : path.resolve(name)
}

function fromUrl (value, what) {
  const text = value instanceof URL ? value.href : value
  const [, head, query, hash] = /^file:([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/is.exec(text)
  if (hash !== undefined) throw refusal(what, text, 'the # of a path is written %23 in a URL')
  if (query !== undefined && query !== '') refuseQuery(text, query, what)
  if (head === MEMORY) return MEMORY
  if (/^\/*$/.test(head)) throw refusal(what, text, 'it names no file')
  try {
    if (head.startsWith('/')) return fileURLToPath(`file:${head}`)
    return decodeURIComponent(head)
  } catch (cause) {
    const advice = /^\/\/[^/]/.test(head)
      ? `what follows // is a host; write file:${head.slice(2)}, or file:/// and an absolute path`
      : 'it is not a usable file URL; a % in a path is written %25'
    throw refusal(what, text, advice, cause)
  }
}

function refuseQuery (text, query, what) {
  const [[name, value]] = new URLSearchParams(query)
  const known = INSTEAD[name]
  const advice = typeof known === 'object' ? known[value] : known
  throw refusal(what, text, `${describe(`?${name}=${value}`)} is not read: ` +
    (advice ?? 'options are given to open, beside the target'))
}

function refusal (what, value, advice, cause) {
  return new UndercroftError('UC_OPTION', `${what}: ${describe(String(value))}: ${advice}`, cause && { cause })
}

module.exports = { readPlace, isFileUrl }
