'use strict'

// cache - the part of the tour about the cache: one load for many callers, a first level that answers
// without a call, and a commit of another process that drops what it was made from.

const path = require('node:path')
const { execFile } = require('node:child_process')
const { promisify } = require('node:util')
const { open } = require('undercroft')
const { count, duration, note, result, step, timed, wrong } = require('./screen')

const CALLERS = 1000
const LOOKS = 20000

async function cached ({ dir }) {
  const target = `ipc://${path.join(dir, 'cache.sock')}`
  const store = open(target, { spawn: { db: path.join(dir, 'prices.db') } })
  const { db, cache } = store
  const { pid } = await store.door()
  await db.exec("create table price(name text primary key, cents int); insert into price values ('tea', 250)")
  let loads = 0
  const tea = () => cache.wrap('price:tea', async () => {
    loads++
    return db.get('select * from price where name = ?', ['tea'])
  }, { tables: ['price'] })

  step('A cache that knows the data: loaded once, for all callers in all processes',
    "const tea = () => cache.wrap('price:tea', () => db.get('select * from price where name = ?', ['tea']), { tables: ['price'] })",
    `await Promise.all(Array.from({ length: ${CALLERS} }, tea))`)
  const [, ms] = await timed(() => Promise.all(Array.from({ length: CALLERS }, tea)))
  result(`${count(CALLERS)} callers, the loader ran ${loads} time${loads === 1 ? '' : 's'}, ${duration(ms)} in all`)
  let each = Infinity
  for (let round = 0; round < 20; round++) {
    await tea()
    await new Promise(setImmediate)
    const began = performance.now()
    let there = 0
    for (let i = 0; i < LOOKS; i++) if (cache.peek('price:tea') !== undefined) there++
    if (there === LOOKS) each = Math.min(each, (performance.now() - began) / LOOKS)
  }
  note(`from the first level, in the heap of this process and checked against its lease: ${duration(each)} a look`)

  step('A commit of another process drops it', "await db.run('update price set cents = cents + 100 …')    // in another process")
  const before = await tea()
  await promisify(execFile)(process.execPath, [path.join(__dirname, 'other.js'), target, 'tea'])
  const near = cache.peek('price:tea')
  const after = await tea()
  const text = `${before.cents} before; when the write was acknowledged the answer was gone here, too: ` +
    `${near === undefined ? 'nothing' : near.cents} in the first level, ${after.cents} from the next call`
  await store.close()
  process.kill(pid, 'SIGTERM')
  if (loads === 2 && near === undefined && after.cents === before.cents + 100) return result(text)
  wrong(text)
  throw new Error('the cache was behind the data')
}

module.exports = [cached]
