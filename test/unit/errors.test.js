'use strict'

const t = require('tap')
const { UndercroftError, codes, fromWire, expected, describe } = require('../../lib/base/errors')

t.test('the class', (t) => {
  const err = new UndercroftError('UC_BUSY', 'full', { sql: 'select 1', cause: 5, outcome: 'not-run' })
  t.match(err, { name: 'UndercroftError', message: 'full', code: 'UC_BUSY', kind: 'busy', retryable: true, sql: 'select 1', outcome: 'not-run', cause: 5 })
  t.ok(err instanceof Error)
  t.ok(err instanceof UndercroftError)
  t.notOk(new Error('x') instanceof UndercroftError)
  t.notOk(null instanceof UndercroftError)
  t.notOk('param' in err)
  t.match(err.stack, /UndercroftError: full/)
  class Sub extends UndercroftError {}
  t.notOk(err instanceof Sub)
  t.ok(new Sub('UC_BUSY', 'x') instanceof Sub)
  t.end()
})

t.test('two copies of the package agree', (t) => {
  const file = require.resolve('../../lib/base/errors')
  const kept = require.cache[file]
  delete require.cache[file]
  const other = require('../../lib/base/errors')
  require.cache[file] = kept
  t.not(other.UndercroftError, UndercroftError)
  t.ok(new other.UndercroftError('UC_BUSY', 'x') instanceof UndercroftError)
  t.end()
})

t.test('the table of codes', (t) => {
  const kinds = new Set(['unique', 'foreign-key', 'check', 'not-null', 'constraint', 'busy', 'timeout', 'abort', 'readonly', 'corrupt', 'full', 'io', 'permission', 'cant-open', 'syntax', 'schema', 'too-big', 'memory', 'load', 'closed', 'connection', 'usage', 'not-found', 'internal'])
  for (const [code, row] of Object.entries(codes)) {
    t.match(code, /^UC_[A-Z_]+$/)
    t.ok(kinds.has(row.kind), `${code}: ${row.kind}`)
    t.type(row.retryable, 'boolean')
  }
  t.end()
})

t.test('errors of the wire', (t) => {
  const sql = 'select ' + 'x'.repeat(5000)
  const err = fromWire({ code: 'SQLITE_BUSY', kind: 'busy', message: 'locked', retryable: true, outcome: 'unknown', param: 3, offset: 7, native: 5 }, sql, 'run')
  t.match(err, { code: 'SQLITE_BUSY', kind: 'busy', retryable: true, outcome: 'unknown', sql, param: 3, offset: 7, native: 5, op: 'run' })
  t.ok(err.message.length < 1100, 'the SQL is cut in the message, whole in .sql')
  t.equal(fromWire({ code: 'X', offset: 9 }, 'é日😀 x').offset, 4, 'bytes become UTF-16 units')
  t.match(fromWire({ code: 'UC_TIMEOUT' }), { code: 'UC_TIMEOUT', kind: 'timeout', message: 'UC_TIMEOUT' })
  for (const bad of [null, 5, {}, { code: 5 }]) t.match(fromWire(bad), { code: 'UC_FRAME' })
  t.match(fromWire({ code: 'X', kind: 5, retryable: 'yes', message: {} }), { code: 'X', kind: 'internal', retryable: false, message: 'X' })
  t.end()
})

t.test('values in words', (t) => {
  for (const [value, words] of [[null, 'null'], [undefined, 'undefined'], ['a', '"a"'], ['x'.repeat(50), 'a string of 50 characters'], [-0, '-0'], [5n, '5n'], [true, 'true'], [Symbol('x'), 'a symbol'], [() => {}, 'a function'], [[], 'an array'], [{}, 'an object'], [new Date(), 'a Date'], [Buffer.alloc(1), 'a buffer'], [new ArrayBuffer(1), 'a buffer'], [Object.create(null), 'an object']]) {
    t.equal(describe(value), words)
  }
  t.match(expected('UC_OPTION', 'option x', 'a number', 'y'), { code: 'UC_OPTION', message: 'option x: expected a number, got "y"' })
  t.end()
})
