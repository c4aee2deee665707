'use strict'

// reading - the steps of the tour that ask.

const { bar, count, duration, note, result, size, step, timed } = require('./screen')

// How long a rate is measured.
const MEASURE_MS = 600

async function points ({ db, ids }) {
  step('Read single rows: the blocking way and the awaited way',
    "db.sync.get('select * from city where id = ?', [id])",
    "await db.get('select * from city where id = ?', [id])")
  const sql = 'select * from city where id = ?'
  const pick = () => ids[Math.floor(Math.random() * ids.length)]

  let reads = 0
  const began = performance.now()
  // A turn of the event loop now and then, as in a program that does other things too.
  while (performance.now() - began < MEASURE_MS) {
    for (let i = 0; i < 500; i++) db.sync.get(sql, [pick()])
    reads += 500
    await new Promise(setImmediate)
  }
  const sync = reads / (performance.now() - began) * 1000
  result(`blocking: ${count(sync)} rows/s`)

  for (const inFlight of [1, 64, 1000]) {
    const until = performance.now() + MEASURE_MS
    let done = 0
    const [, ms] = await timed(() => Promise.all(Array.from({ length: inFlight }, async () => {
      while (performance.now() < until) {
        await db.get(sql, [pick()])
        done++
      }
    })))
    result(`awaited, ${String(inFlight).padStart(4)} in flight: ${count(done / ms * 1000)} rows/s`)
  }
  note('calls of one turn travel together; no SQL runs on the event loop')
}

async function pages ({ db }) {
  step('Page through a sorted table by key: a deep page costs what the first one does',
    "const { rows, next } = await cities.page({ where: { country: 'US' },",
    "  order: { population: 'desc' }, limit: 3, after: next })")
  const cities = db.table('city')
  const query = { where: { country: 'US' }, order: { population: 'desc' }, columns: ['name', 'population'], limit: 3 }
  await cities.page(query)
  const [first, firstMs] = await timed(() => cities.page(query))
  result(`page 1 in ${duration(firstMs)}: ${first.rows.map((row) => `${row.name} ${count(row.population)}`).join(', ')}`)
  note(`next: ${JSON.stringify(first.next)}`)
  const [far] = await cities.find({ ...query, columns: ['id', 'population'], limit: 1, offset: 15000 })
  await cities.page({ ...query, after: first.next })
  const [deep, deepMs] = await timed(() => cities.page({ ...query, after: far }))
  result(`page 5,001 in ${duration(deepMs)}: ${deep.rows.map((row) => `${row.name} ${count(row.population)}`).join(', ')}`)
}

async function bodies ({ db }) {
  step('An HTTP body without objects: the JSON is made in C',
    "await db.json('select id, name, country, population from city where country = ? limit 100', ['JP'])")
  const sql = 'select id, name, country, population from city where country = ? limit 100'
  const work = [
    ['db.json', () => db.json(sql, ['JP'])],
    ['db.all and JSON.stringify', async () => Buffer.from(JSON.stringify(await db.all(sql, ['JP'])))]
  ]
  for (const [name, fn] of work) {
    const { length } = await fn()
    const until = performance.now() + MEASURE_MS
    let done = 0
    const [, ms] = await timed(() => Promise.all(Array.from({ length: 16 }, async () => {
      while (performance.now() < until) {
        await fn()
        done++
      }
    })))
    result(`${name}: ${count(done / ms * 1000)} bodies/s of ${size(length)}, 16 in flight`)
  }
}

async function search ({ db }) {
  step('Full-text search, accents or not',
    'select name, country, population from city_text join city … where city_text match \'"sao"* "pau"*\'')
  const sql = `select c.name, c.country, c.population from city_text join city c on c.id = city_text.rowid
    where city_text match ? order by c.population desc limit 3`
  await db.all(sql, ['"a"*'])
  const [rows, ms] = await timed(() => db.all(sql, ['"sao"* "pau"*']))
  result(`${rows.map((row) => `${row.name} (${row.country})`).join(', ')} in ${duration(ms)}`)
}

async function stream ({ db, isBun }) {
  step('A million rows, one at a time, in constant memory',
    "for await (const row of db.iterate('select c.* from city c, (values (1), (2), …)')) { … }")
  const sql = 'select c.* from city c, (values (1), (2), (3), (4), (5), (6), (7), (8))'
  const before = process.memoryUsage().rss
  let rows = 0
  let people = 0
  let most = before
  const [, ms] = await timed(async () => {
    for await (const row of db.iterate(sql)) {
      people += row.population
      if (++rows % 50000 !== 0) continue
      most = Math.max(most, process.memoryUsage().rss)
      bar(rows / 10818.64, `${count(rows)} rows`)
    }
  })
  bar(100, '')
  result(`${count(rows)} rows, ${count(people)} people, in ${duration(ms)} (${count(rows / ms * 1000)} rows/s), memory +${size(Math.max(0, most - before))}`)
  if (isBun) note('Bun keeps what it has collected for a while')
}

module.exports = [points, pages, bodies, search, stream]
