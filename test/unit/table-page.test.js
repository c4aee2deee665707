'use strict'

// Keyset pages against the engine's own order: over random tables, data and orders, the pages
// put together must be every row exactly once, in order, forwards and backwards.

const t = require('tap')
const { open } = require('../..')

// A small generator of its own, so that a failing seed can be run again: SEED=1234.
function random (seed) {
  let state = seed >>> 0 || 1
  return (n) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % n
  }
}

const TABLES = {
  'an integer key': 'create table t(id integer primary key, a int, b text, c real not null, d text not null collate nocase)',
  'a key of two columns without rowid': 'create table t(b text, id int, a int, c real not null, d text not null collate nocase, primary key (b, id)) without rowid',
  'a text key that may be null': 'create table t(b text primary key, id int, a int, c real not null, d text not null collate nocase)',
  'no key but the rowid': 'create table t(id int, a int, b text, c real not null, d text not null collate nocase)'
}
const COLUMNS = ['id', 'a', 'b', 'c', 'd']

function rowsFor (pick, kind, count) {
  const rows = []
  for (let i = 0; i < count; i++) {
    let b = pick(4) === 0 ? null : `b${pick(5)}`
    if (kind.includes('two columns')) b = `b${pick(5)}`
    if (kind.includes('text key')) b = pick(4) === 0 ? null : `b${i}`
    rows.push({
      id: i * 2 - 20,
      a: pick(3) === 0 ? null : pick(4),
      b,
      c: pick(6) / 4,
      d: ['x', 'X', 'y', 'Yes', 'ä'][pick(5)]
    })
  }
  return rows
}

function orderFor (pick) {
  const names = COLUMNS.slice()
  const order = []
  for (let i = pick(4); i > 0; i--) {
    const [name] = names.splice(pick(names.length), 1)
    order.push(pick(2) === 0 ? name : { [name]: pick(2) === 0 ? 'asc' : 'desc' })
  }
  return order
}

const WHERE = [undefined, { a: 2 }, { a: null }, { a: { gte: 1 }, c: { lt: 1 } }, { or: [{ b: 'b1' }, { a: [0, 1, null] }] }, { not: { a: 1 } }]

const same = (x, y) => JSON.stringify(x) === JSON.stringify(y)

async function walk (table, query, limit, backwards, from) {
  const rows = []
  for (let pages = 0; pages < 200; pages++) {
    const page = await table.page({ ...query, limit, [backwards ? 'before' : 'after']: from })
    if (backwards) rows.unshift(...page.rows)
    else rows.push(...page.rows)
    if (page.rows.length > limit) throw new Error('more rows than the limit')
    from = backwards ? page.prev : page.next
    if (from === null) return rows
    // A mark has to survive a trip through a URL.
    from = JSON.parse(JSON.stringify(from))
  }
  throw new Error('pages without end')
}

for (const [kind, sql] of Object.entries(TABLES)) {
  t.test(`pages over ${kind}`, async (t) => {
    const seed = Number(process.env.SEED) || (Date.now() % 1e6) + 1
    t.comment(`SEED=${seed}`)
    const pick = random(seed)
    const store = open(':memory:')
    t.teardown(() => store.close())
    const { db } = store
    await db.exec(sql)
    const table = db.table('t')
    await table.insertMany(rowsFor(pick, kind, 60))
    if (kind.includes('no key')) await db.run('create index t_a on t(a, c)')
    if (kind.includes('integer key')) await db.run('create index t_a on t(a desc, b)')

    for (let round = 0; round < 60; round++) {
      const order = orderFor(pick)
      const where = WHERE[pick(WHERE.length)]
      const limit = 1 + pick(9)
      const query = { where, order }
      const all = await table.find({ ...query, limit: 1000 })
      const what = `${JSON.stringify(query)} limit ${limit}`

      const forwards = await walk(table, query, limit, false)
      if (!same(forwards, all)) return t.fail(`forwards: ${what}`)

      // Backwards from a mark: all that stands before it.
      const start = await table.page({ ...query, limit: Math.max(1, all.length - 1) })
      if (start.next !== null) {
        const backwards = await walk(table, query, limit, true, start.next)
        if (!same(backwards, all.slice(0, all.length - 2))) return t.fail(`backwards: ${what}`)
      }

      // find() takes the last row itself where it shows all columns of the order.
      if (!kind.includes('null')) {
        const rows = []
        for (let after; ;) {
          const page = await table.find({ ...query, limit, after })
          if (page.length === 0) break
          rows.push(...page)
          after = page.at(-1)
        }
        if (!same(rows, all)) return t.fail(`find after the last row: ${what}`)
      }

      // Offset pages have the same order.
      const middle = await table.find({ ...query, limit, offset: 5 })
      if (!same(middle, all.slice(5, 5 + limit))) return t.fail(`offset: ${what}`)

      const total = await table.count(where)
      if (total !== all.length) return t.fail(`count ${total}, rows ${all.length}: ${what}`)
    }
    t.pass('60 orders')
  })
}
