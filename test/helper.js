'use strict'

// helper - what the test files share: a directory of their own, the doors a suite is run
// through, exact comparison, and child processes that cannot outlive their deadline.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const util = require('node:util')
const { spawn } = require('node:child_process')

const root = path.resolve(__dirname, '..')
const isBun = process.versions.bun !== undefined
const isLong = process.env.CI === 'true'

// How long a file may take: what the runner says, and alone more than tap's own 30 s.
const fileTimeoutMs = Number(process.env.TAP_TIMEOUT || 900) * 1000

const runaway = 'with recursive c(x) as (select 1 union all select x + 1 from c)'

// A statement that computes for a while and ends: about a third of a second for a million steps.
function slow (steps) {
  return `with recursive c(x) as (select 1 union all select x + 1 from c where x < ${steps})`
}

// ---- places ----------------------------------------------------------------------------

const spaces = new WeakMap()

// For what a suite cannot see through a door: says so, and returns whether it is to be left out.
function left (t, out, why) {
  if (out) t.comment(`left out: ${why}`)
  return out
}

// One directory and one list of stores for each test; both end with the test.
function space (t) {
  let own = spaces.get(t)
  if (own === undefined) {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'undercroft-test-'))
    own = { dir, stores: [], count: 0 }
    spaces.set(t, own)
    t.teardown(async () => {
      for (const store of own.stores) await end(store)
      fs.rmSync(dir, { recursive: true, force: true })
    })
  }
  return own
}

// A store that a failing test left busy is not waited for.
async function end (store) {
  let timer
  const late = new Promise((resolve) => { timer = setTimeout(resolve, 3000) })
  await Promise.race([Promise.resolve(store.close()).catch(() => {}), late])
  clearTimeout(timer)
  store.destroy()
}

function tmpdir (t) {
  return space(t).dir
}

function tmpfile (t, name) {
  const own = space(t)
  return path.join(own.dir, name ?? `test-${++own.count}.db`)
}

// ---- doors -----------------------------------------------------------------------------
// A door is a function open(t, options) -> a store on a fresh file. Its properties:
//   door         its name
//   sync         whether db.sync exists behind it
//   owner        whether the file is opened by the handle itself, and so a file or an option that
//                is wrong is told by the handle; otherwise it is the daemon that has it open
//   file(t)      a path that is free
//   at(t, file, options)   a store on that file; closed with the test
//   engine       'sqlite' or 'pg'
//   sql          what has to be said differently to it: test/contract/dialect.js
//   only(engine, why)      options of a test that is not for the others: t.test(name, only(…), …)

const dialects = require('./contract/dialect')

function onEngine (open, engine) {
  open.engine = engine
  open.ready ??= async () => {}
  open.sql = dialects[engine]
  open.only = (one, why) => one === engine ? {} : { skip: `${one} only: ${whyOnly(why)}` }
  return open
}

// A reason is a sentence, or the name of a difference that the documentation lists.
function whyOnly (why) {
  return require('./contract/differs').find(({ name }) => name === why)?.what ?? why
}

// A door to databases of a PostgreSQL server, test/pg.js: each test has a fresh one, and a 'file' is its URL. With
// `publishes` what changes in it is seen, as soon as `open.ready(store)` resolves.
function pgDoor (door, server, { publishes = false } = {}) {
  const fresh = (t) => {
    const url = server.fresh(t)
    if (publishes) server.sql('create publication undercroft for all tables with (publish_via_partition_root = true)', server.nameOf(url))
    return url
  }
  const open = (t, options) => door.at(t, fresh(t), options)
  const ready = (store) => until(async () => (await store.db.stats()).changes.form === 'exact', 'changes are seen')
  Object.assign(open, { door: door.door, sync: false, owner: door.owner, at: door.at, file: fresh, server, ...publishes && { ready } })
  return onEngine(open, 'pg')
}

function addonDoor () {
  const { open: connect } = require(root)
  const open = (t, options) => open.at(t, tmpfile(t), options)
  open.door = 'addon'
  open.sync = true
  open.owner = true
  open.file = tmpfile
  open.at = (t, file, options) => {
    const store = connect(file, options)
    space(t).stores.push(store)
    return store
  }
  return onEngine(open, 'sqlite')
}

// Through a daemon for each file, started with what of the options concerns the file. It ends with
// the last store on it, as a core in this process does: what is in the file then is all of it.
function ipcDoor () {
  const { open: connect } = require(root)
  const { table, normalise, parseTarget } = require('../lib/base/options')
  const open = (t, options) => open.at(t, tmpfile(t), options)
  open.door = 'ipc'
  open.sync = false
  open.owner = false
  open.file = tmpfile
  open.at = (t, target, options) => {
    const own = space(t)
    const { path: file, ipc } = parseTarget(target)
    let url = target
    // A daemon opens its file before it listens, and a disk may take its time for that.
    let settings = { connectTimeoutMs: 60000, ...options }
    if (!ipc) {
      normalise(options)
      settings = { connectTimeoutMs: 60000 }
      const sets = []
      for (const [name, value] of Object.entries(options ?? {})) {
        const { where, type } = table[name]
        if (value === undefined) continue
        if (name === 'cache' && typeof value === 'object') {
          const { bytes, maxValueBytes, ...rest } = value
          if (bytes !== undefined) sets.push(`cacheBytes=${bytes}`)
          if (maxValueBytes !== undefined) sets.push(`cacheValueBytes=${maxValueBytes}`)
          settings.cache = rest
        } else if (where === 'handle') settings[name] = value
        else if (type === 'pragmas' || type === 'attach') for (const key of Object.keys(value)) sets.push(`${name}.${key}=${value[key]}`)
        else sets.push(`${name}=${value}`)
      }
      const daemon = daemonFor(t, file, sets)
      url = daemon.url
      const store = connect(url, settings)
      own.stores.push(store)
      daemon.users++
      const { close } = store
      let isOver = null
      store.close = () => {
        isOver ??= close.call(store).then(() => { if (--daemon.users === 0) return daemon.stop() })
        return isOver
      }
      store[Symbol.asyncDispose] = store.close
      return store
    }
    const store = connect(url, settings)
    own.stores.push(store)
    return store
  }
  return onEngine(open, 'sqlite')
}

const DOORS = ['addon', 'ipc']

const running = new WeakMap()

function daemonFor (t, file, sets) {
  if (!running.has(t)) running.set(t, new Map())
  const daemons = running.get(t)
  let real = file
  try {
    real = fs.realpathSync(file)
  } catch {
    // It is not there yet.
  }
  const key = file === ':memory:' ? Symbol(file) : [real, ...sets].join('\n')
  const known = daemons.get(key)
  if (known !== undefined && !known.over) return known
  // The name of a server's database is no file's: it would be the daemon's name for it.
  const db = /^postgres(ql)?:/.test(file) ? `main=${file}` : file
  const daemon = startDaemon(t, ['--db', db, ...sets.flatMap((set) => ['--set', set])])
  daemons.set(key, daemon)
  daemon.users = 0
  return daemon
}

// A daemon of the test on a socket of its own; ends with the test.
// -> { url, proc, pid, stderr, over, done, stop() }
function startDaemon (t, args, options = {}) {
  const { daemonPath } = require('../lib/base/binding')
  const dir = tmpdir(t)
  const socket = options.socket ?? path.join(dir, `${++space(t).count}.sock`)
  const proc = spawn(daemonPath(), ['--listen', `ipc://${socket}`, '--idle-exit', '60', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'], cwd: dir
  })
  const daemon = { url: `ipc://${socket}`, socket, proc, pid: proc.pid, stderr: '', over: false, code: null, signal: null }
  proc.stderr.setEncoding('utf8').on('data', (text) => { daemon.stderr += text })
  daemon.done = new Promise((resolve, reject) => {
    proc.on('error', reject)
    proc.on('close', (code, signal) => {
      Object.assign(daemon, { code, signal, over: true })
      resolve(daemon)
    })
  })
  daemon.stop = (signal = 'SIGTERM') => {
    daemon.over = true
    proc.kill(signal)
    return daemon.done
  }
  t.teardown(async () => {
    proc.kill('SIGCONT')
    proc.kill('SIGTERM')
    const late = setTimeout(() => proc.kill('SIGKILL'), 60000)
    await daemon.done
    clearTimeout(late)
    const wanted = options.codes ?? [0, 5]
    if (daemon.signal === 'SIGKILL' && options.killed !== true) throw new Error(`undercroftd did not end: ${daemon.stderr}`)
    if (daemon.signal === null && !wanted.includes(daemon.code)) throw new Error(`undercroftd ended with ${daemon.code}: ${daemon.stderr}`)
    if (daemon.signal !== null && daemon.signal !== 'SIGKILL' && daemon.signal !== 'SIGTERM') throw new Error(`undercroftd ended with ${daemon.signal}: ${daemon.stderr}`)
  })
  return daemon
}

// All of them for an engine, or what test/choice.js leaves to this runtime at that door. A suite that is for
// one engine alone says so, and why, by a property of its function: `sqlite` or `pg`.
function suites (door, engine = 'sqlite') {
  const dir = path.join(__dirname, 'contract', 'suite')
  const turn = process.env.UNDERCROFT_SHARE
  const isMine = (_, i) => turn === undefined || DOORS[(i + Number(turn)) % DOORS.length] === door
  return fs.readdirSync(dir)
    .filter((file) => file.endsWith('.js'))
    .sort()
    .filter(isMine)
    .map((file) => [path.basename(file, '.js'), require(path.join(dir, file))])
    .filter(([, suite]) => engine === 'pg' || suite.pg === undefined)
}

// ---- judging ---------------------------------------------------------------------------

// t.same compares loosely; here 1, 1n and '1' differ, and so do 0 and -0.
function exact (t, found, wanted, name) {
  const same = util.isDeepStrictEqual(found, wanted)
  if (!same) {
    t.comment(`found:  ${util.inspect(found, { depth: 6, maxStringLength: 300, maxArrayLength: 20 })}`)
    t.comment(`wanted: ${util.inspect(wanted, { depth: 6, maxStringLength: 300, maxArrayLength: 20 })}`)
  }
  t.ok(same, name)
}

// The error of a promise that has to reject, or of a function that has to throw.
async function failure (work) {
  let value
  try {
    value = await (typeof work === 'function' ? work() : work)
  } catch (err) {
    return err
  }
  throw new Error(`expected a failure, got ${util.inspect(value, { depth: 1 }).slice(0, 200)}`)
}

// 'fulfilled', or the code of the rejection, for each promise.
async function outcomes (promises) {
  const all = await Promise.allSettled(promises)
  return all.map((one) => one.status === 'fulfilled' ? 'fulfilled' : one.reason?.code ?? String(one.reason))
}

function delay (ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Why a test cannot be another user here, who has to reach the sources; false: it can. */
function whyNoOtherUser () {
  if (process.getuid?.() !== 0) return 'only root can become another user'
  for (let dir = root; dir !== path.dirname(dir); dir = path.dirname(dir)) {
    if ((fs.statSync(dir).mode & 0o005) !== 0o005) return 'the sources are not readable by other users'
  }
  return false
}

// Waits until check() is true; fails loudly after the deadline.
async function until (check, what, ms = 60_000) {
  const limit = Date.now() + ms
  while (!await check()) {
    if (Date.now() > limit) throw new Error(`waited ${ms} ms in vain: ${what}`)
    await delay(5)
  }
}

// What holds for only so long: work(i), done anew until it took less than `ms` from its beginning,
// so that a machine that was busy meanwhile decides nothing.
async function fastEnough (ms, work) {
  for (let i = 0; i < 100; i++) {
    const start = clock()
    const result = await work(i)
    if (elapsed(start) < ms) return result
  }
  throw new Error(`a hundred tries, none of them within ${ms} ms`)
}

// The error of a call that its deadline ends, from who has it in a queue. A daemon that does not get
// to say so within GRACE_MS (lib/transport/ipc.js) leaves its client with an outcome that is unknown:
// then the call is made anew.
async function overdue (timeoutMs, call) {
  for (let i = 0; ; i++) {
    const start = clock()
    const err = await failure(call({ timeoutMs }))
    if (i === 20 || err.outcome !== 'unknown' || elapsed(start) < timeoutMs + 400) return err
  }
}

// A promise that is kept from outside: who awaits `opened` goes on when open(value) is called.
function gate () {
  const it = {}
  it.opened = new Promise((resolve) => { it.open = resolve })
  return it
}

function elapsed (since) {
  return Number(process.hrtime.bigint() - since) / 1e6
}

function clock () {
  return process.hrtime.bigint()
}

// ---- children --------------------------------------------------------------------------

// Runs body({ undercroft, args, say, helper }) as a program of its own. body is sent as text:
// it sees nothing of the file it stands in, only what is passed to it and `require`.
// The child is killed at its deadline; nothing a test starts outlives the test.
//   options.args        passed as JSON
//   options.exec        the runtime; default: this one
//   options.nodeArgs    flags of the runtime
//   options.deadlineMs  default 120 s
//   options.onLine      called with each line of stdout as it arrives, and the child process
function child (t, body, options = {}) {
  const source = [
    "'use strict'",
    `const root = ${JSON.stringify(root)}`,
    'const undercroft = require(root)',
    'const args = JSON.parse(process.argv[2])',
    "const say = (line) => require('node:fs').writeSync(1, String(line) + '\\n')",
    `const body = ${body.toString()}`,
    'Promise.resolve(body({ undercroft, args, say, require, root })).catch((err) => {',
    "  require('node:fs').writeSync(2, String(err?.stack ?? err) + '\\n')",
    '  process.exit(70)',
    '})'
  ].join('\n')
  const file = tmpfile(t, `child-${++space(t).count}.js`)
  fs.writeFileSync(file, source)
  const proc = spawn(options.exec ?? process.execPath, [...(options.nodeArgs ?? []), file, JSON.stringify(options.args ?? null)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: options.cwd ?? tmpdir(t),
    env: { ...process.env, NODE_V8_COVERAGE: '', NODE_OPTIONS: '', ...options.env },
    uid: options.uid,
    gid: options.uid
  })
  const result = { code: null, signal: null, stdout: '', stderr: '', lines: [], timedOut: false, proc }
  let rest = ''
  proc.stdout.setEncoding('utf8').on('data', (text) => {
    result.stdout += text
    rest += text
    const lines = rest.split('\n')
    rest = lines.pop()
    for (const line of lines) {
      result.lines.push(line)
      options.onLine?.(line, proc)
    }
  })
  proc.stderr.setEncoding('utf8').on('data', (text) => { result.stderr += text })
  const deadline = setTimeout(() => {
    result.timedOut = true
    proc.kill('SIGKILL')
  }, options.deadlineMs ?? 120000)
  t.teardown(() => { proc.kill('SIGKILL') })
  result.done = new Promise((resolve, reject) => {
    proc.on('error', reject)
    proc.on('close', (code, signal) => {
      clearTimeout(deadline)
      result.code = code
      result.signal = signal
      resolve(result)
    })
  })
  return result
}

// Runs the child to its end and checks how it ended; the output is shown when it is not as wanted.
async function runs (t, body, options = {}) {
  const result = child(t, body, options)
  await result.done
  const code = options.code ?? 0
  const fine = !result.timedOut && result.signal === null && result.code === code
  if (!fine) {
    t.comment(`exit code ${result.code}, signal ${result.signal}${result.timedOut ? ', killed at its deadline' : ''}`)
    t.comment(result.stdout.slice(-1000))
    t.comment(result.stderr.slice(-3000))
  }
  t.ok(fine, options.name ?? `the process ends by itself with code ${code}`)
  return result
}

module.exports = {
  addonDoor,
  ipcDoor,
  startDaemon,
  child,
  clock,
  delay,
  elapsed,
  exact,
  failure,
  fastEnough,
  fileTimeoutMs,
  gate,
  isBun,
  isLong,
  left,
  outcomes,
  overdue,
  pgDoor,
  root,
  runaway,
  runs,
  slow,
  suites,
  tmpdir,
  tmpfile,
  until,
  whyNoOtherUser
}
