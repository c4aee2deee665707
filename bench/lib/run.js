'use strict'

// One case on one runtime: every contestant in a process of its own, all of
// them warmed up and then measured in turn, round after round, so that whatever
// the machine does meanwhile happens to all.

const fs = require('node:fs')
const path = require('node:path')
const { Peer } = require('./peer')
const { Service } = require('./service')
const pin = require('./pin')
const { entries, rivalsOf, oursOf } = require('./cases')

const WORKER = path.join(__dirname, '../worker.js')

// Equal for all; cache_size is the default that better-sqlite3 and Undercroft
// are built with, page_size SQLite's own.
const SETTINGS = { synchronous: 'full', cacheKiB: 16000 }

let started = 0 // servers: each has a socket of its own

const settingsOf = door => ({ ...SETTINGS, ...door.settings })

// [command, args] on the processor of that side, where the door has one for each.
const placed = (door, side, command, args) => door.pinned ? pin.on(side, command, args) : [command, args]

/**
 * @param {object} context { door, dir, sockets, fixture, timing, limit (path or
 *   null), missing (Map of contestant -> reason on this runtime), prof,
 *   server: that of the door, or null }
 * @returns {Promise<object>} by 'contestant/program':
 *   { rounds: [{ rate, … }] } | { skip } | { error }
 */
async function runCase (test, runtime, context) {
  const results = {}
  const running = []
  const services = []
  try {
    const keys = entries(test)
    await Promise.all(keys.map(async key => {
      const reason = whyNot(key, context)
      if (reason) {
        results[key] = { skip: reason }
        return
      }
      await guarded(results, key, async () => {
        const peer = await start(key, test, runtime, context, services)
        running.push({ key, peer })
        const { skip } = await peer.ask('setup')
        results[key] = skip ? { skip } : { rounds: [] }
      })
    }))
    running.sort((a, b) => keys.indexOf(a.key) - keys.indexOf(b.key))
    await check(test, running, results)
    await measure(test, running, results, context.timing)
  } finally {
    await Promise.all(running.map(async ({ key, peer }) => {
      await guarded(results, key, () => peer.quit())
      peer.kill()
    }))
    await Promise.all(services.map(async service => {
      await service.stop()
      fs.rmSync(service.socket, { force: true })
    }))
    for (const file of fs.readdirSync(context.dir)) {
      if (file.startsWith('run-')) fs.rmSync(path.join(context.dir, file), { recursive: true })
    }
  }
  return results
}

function whyNot (key, { limit, missing }) {
  const [contestant] = key.split('/')
  if (contestant === 'c') return limit ? null : 'the C limit is not built: npm run bench -- --setup'
  return missing.get(contestant) || null
}

/** The process of a contestant, and before it the server that it talks to. */
async function start (key, test, runtime, context, services) {
  const { door, dir, fixture, timing, limit, prof } = context
  const [name, program] = key.split('/')
  const file = path.join(dir, `run-${key.replace(/\W/g, '-')}.db`)
  if (fixture) fs.copyFileSync(fixture, file)
  if (name === 'c' && context.server) {
    const { host, port, user, database, people } = context.server.fresh(key)
    return new Peer(limit, [program, `${host}/.s.PGSQL.${port}`, user, database, String(people)])
  }
  if (name === 'c') {
    return new Peer(limit, [
      program, file, SETTINGS.synchronous, String(SETTINGS.cacheKiB), String(timing.scale)
    ])
  }
  const contestant = door.contestants.find(it => it.name === name)
  const settings = settingsOf(door)
  let service = context.server ? context.server.fresh(key) : null
  if (contestant.service) {
    service = await startService(contestant, test, { program, file, runtime, settings }, context, services)
  }
  const flags = [...((test.flags && test.flags[runtime.kind]) || [])]
  if (prof && runtime.kind === 'node') flags.push('--cpu-prof', `--cpu-prof-dir=${prof}`)
  const job = {
    door: door.name,
    contestant: name,
    program,
    case: test.file,
    file,
    service: context.server ? service : service && { socket: service.socket, pid: service.pid, port: service.port },
    sockets: context.sockets,
    settings,
    scale: timing.scale,
    isSmoke: timing.isSmoke
  }
  return new Peer(...placed(door, 'client', runtime.exec, [...flags, WORKER, JSON.stringify(job)]))
}

/** The server of a contestant, ready. */
async function startService (contestant, test, job, { door, sockets, prof }, services) {
  const socket = path.join(sockets, `${started++}.sock`)
  const recipe = await contestant.service({ ...job, socket, dir: sockets, test, prof })
  const [command, args] = placed(door, 'server', recipe.command, recipe.args)
  const service = new Service(socket, { ...recipe, command, args })
  services.push(service)
  await service.ready()
  return service
}

/** Runs fn; what it throws becomes the entry's error instead of the run's end. */
async function guarded (results, key, fn) {
  try {
    await fn()
  } catch (err) {
    if (!results[key] || !results[key].error) results[key] = { error: err.message }
  }
}

const alive = (running, results) => running.filter(({ key }) => results[key].rounds)

/** The contestants of a row must give the same answers, or nothing is compared. */
async function check (test, running, results) {
  const answers = new Map()
  for (const { key, peer } of alive(running, results)) {
    await guarded(results, key, async () => answers.set(key, await peer.ask('check')))
  }
  for (const row of test.rows) {
    const ours = answers.get(oursOf(row))
    for (const { key } of rivalsOf(test, row)) {
      const theirs = answers.get(key)
      if (ours && theirs && ours.digest !== theirs.digest) {
        results[key] = {
          error: `answers differ: ${oursOf(row)} ${ours.sample}\n${key} ${theirs.sample}`
        }
      }
    }
  }
}

async function measure (test, running, results, timing) {
  // A smoke test measures nothing: what each does once is enough.
  const longest = Math.max(timing.ms, test.roundMs || 0)
  const ms = timing.isSmoke ? timing.ms : longest
  const limitMs = 60000 + 10 * longest
  const warm = test.once || timing.isSmoke ? [] : alive(running, results)
  for (const { key, peer } of warm) {
    await guarded(results, key, () => peer.ask('round', { ms: timing.warmMs }, limitMs))
  }
  const rounds = test.once ? 1 : timing.rounds
  for (let round = 0; round < rounds; round++) {
    const now = alive(running, results)
    for (let i = 0; i < now.length; i++) {
      // Someone else begins each round: no one always follows the same one.
      const { key, peer } = now[(i + round) % now.length]
      await guarded(results, key, async () => {
        results[key].rounds.push(await peer.ask('round', { ms }, limitMs))
      })
    }
  }
}

/** What a contestant is on a runtime, or why it cannot take part. */
async function probe (door, contestant, runtime, dir) {
  const file = path.join(dir, 'probe.db')
  const peer = new Peer(runtime.exec, [WORKER, JSON.stringify({
    door: door.name, contestant: contestant.name, file, settings: settingsOf(door)
  })])
  try {
    return await peer.ask('probe')
  } catch (err) {
    return { error: err.message }
  } finally {
    await peer.quit().catch(() => {})
    peer.kill()
    for (const suffix of ['', '-wal', '-shm']) fs.rmSync(file + suffix, { force: true })
  }
}

/**
 * Writes the database that each contestant gets a copy of; false when that
 * contestant cannot, on this runtime. `data`: the module that says what is in it.
 */
async function buildFixture (door, contestant, runtime, file, { data, scale }) {
  const peer = new Peer(runtime.exec, [WORKER, JSON.stringify({
    door: door.name, contestant: contestant.name, file, settings: SETTINGS, data, scale
  })])
  try {
    const { skip } = await peer.ask('build')
    await peer.quit()
    return !skip
  } finally {
    peer.kill()
  }
}

module.exports = { runCase, probe, buildFixture, SETTINGS }
