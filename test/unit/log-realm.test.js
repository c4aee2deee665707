'use strict'

// Values of another realm, as Jest and vm make them: what they are is seen all the same.

const vm = require('node:vm')
const t = require('tap')
const { Log } = require('../../lib/log')
const { readLog } = require('../../lib/log/options')
const { isError } = require('../../lib/log/realm')

function collect (options) {
  const lines = []
  const log = new Log(readLog({ base: null, destination: { write: (line) => { lines.push(line) } }, ...options }))
  return { log, last: () => JSON.parse(lines.at(-1)) }
}

const foreign = (code) => vm.runInNewContext(code)

t.test('an error', async (t) => {
  for (const options of [{}, { redact: ['none'] }]) {
    const { log, last } = collect(options)
    const err = foreign("Object.assign(new TypeError('it broke', { cause: new RangeError('and why') }), { code: 'E_X' })")
    t.notOk(err instanceof Error)
    const wanted = {
      type: 'TypeError', message: 'it broke', code: 'E_X', stack: /^TypeError: it broke\n/, cause: { type: 'RangeError', message: 'and why', stack: /^RangeError/ }
    }
    log.error(err)
    t.match(last(), { err: wanted, msg: 'it broke' })
    log.error({ err, id: 1 })
    t.match(last(), { err: wanted, id: 1, msg: 'it broke' })
    log.error({ deep: [{ err }] }, 'm %j', err)
    t.match(last(), { deep: [{ err: wanted }], msg: /^m \{"type":"TypeError","message":"it broke"/ })
    log.error(new Error('ours', { cause: err }))
    t.match(last(), { err: { message: 'ours', cause: wanted } })
    log.error(foreign("new AggregateError([new TypeError('one'), new Error('two')], 'both')"))
    t.match(last(), { err: { type: 'AggregateError', aggregateErrors: [{ type: 'TypeError', message: 'one' }, { message: 'two' }] }, msg: 'both' })
    log.error(foreign("class Own extends Error {}; new Own('own')"))
    t.match(last(), { err: { type: 'Own', message: 'own' } })
  }
})

t.test('other values', async (t) => {
  const { log, last } = collect()
  log.info(foreign("({ map: new Map([['a', { b: 1 }]]), set: new Set([1]), re: /x/g, buffer: new ArrayBuffer(2), text: new String('s'), date: new Date(0), list: [1], plain: { a: 1 } })"))
  const { level, time, ...rest } = last()
  t.same(rest, {
    map: { a: { b: 1 } }, set: [1], re: '/x/g', buffer: '[2 bytes: 0000]', text: 's', date: '1970-01-01T00:00:00.000Z', list: [1], plain: { a: 1 }
  })
  log.info({ thrown: foreign("({ get a () { throw new TypeError('no') } })") })
  t.equal(last().thrown.a, '[unreadable: no]')
})

t.test('what an error is', async (t) => {
  for (const value of [new Error('x'), new DOMException('x'), Object.create(Error.prototype), foreign('new SyntaxError'), foreign('Object.create(RangeError.prototype)'), Object.setPrototypeOf(new Error('x'), null)]) {
    t.equal(isError(value), true)
  }
  const like = { name: 'Error', message: '' }
  for (const value of [{}, like, [], new Map(), Object.create(null), Object.create(like), foreign('({ message: "x" })'), new (class A { message = 'x' })()]) {
    t.equal(isError(value), false)
  }
})
