'use strict'
// npx undercroft deploy logs: pulls the archives of some days from each host,
// verifies them, says what came and what is missing, deletes with --prune what
// is here for sure.

const { bytes } = require('../lib/base/format')
const { DeployError, toDeployError } = require('./errors')
const { eachHost } = require('./hosts')
const { LogStore } = require('./log-store')
const { printable } = require('./report')
const { dayOf, dayText } = require('./agent/host/log-day')

// A week that begins where the host's own two weeks end.
const SINCE = 21
const UNTIL = 14
// What a host always keeps, and what this machine does.
const THERE_DAYS = 14
const HERE_DAYS = 60
const LIST_MS = 60_000
const KINDS = ['application', 'gateway']

/**
 * @param {object} config of load()
 * @param {object} options { host, since, until, keepDays: days, also as text; prune }
 * @param {object} io { report, …, now } as eachHost takes it; now: () -> ms
 * @returns {Promise<{ hosts: object[], failed: boolean }>} failed: a host, a folder or a file could not be read.
 *   A host: { host, from, to, application, gateway, older, prunedThere, prunedHere }, or { host, error };
 *   of each kind { came, kept, bytes, missing: days, problems }
 * @throws {DeployError} UC_DEPLOY_USAGE
 */
async function logs (config, options, io) {
  const days = read(options, dayOf((io.now ?? Date.now)()))
  const found = await eachHost(config, { host: options.host, lock: false, goOn: true }, io, work => one(work, days))
  const hosts = found.map(({ host, value, error }) => ({ host, ...(error ? { error: error.toJSON?.() ?? { message: error.message } } : value) }))
  const failed = hosts.some(({ error, problems }) => error !== undefined || problems.length > 0)
  io.report.answer({ hosts, ok: !failed }, hosts.map(text).join('\n').split('\n').map(printable).join('\n'))
  return { hosts, failed }
}

function read (options, today) {
  const number = (name, value, fallback, min) => {
    const n = value === undefined ? fallback : Number(value)
    if (Number.isInteger(n) && n >= min && n <= 3650 && value !== '') return n
    throw new DeployError('UC_DEPLOY_USAGE', `deploy logs: --${name} is a number of days from ${min} to 3650, not ${JSON.stringify(value)}`)
  }
  const days = {
    today,
    prune: options.prune === true,
    since: number('since', options.since, SINCE, 1),
    until: number('until', options.until, UNTIL, 0),
    keepDays: number('keep-days', options.keepDays ?? options['keep-days'], HERE_DAYS, THERE_DAYS)
  }
  if (days.since <= days.until) throw new DeployError('UC_DEPLOY_USAGE', `deploy logs: --since ${days.since} has to be more days ago than --until ${days.until}`)
  if (days.prune && days.keepDays < days.since) {
    throw new DeployError('UC_DEPLOY_USAGE', `deploy logs: --keep-days ${days.keepDays} would delete what --since ${days.since} brings`)
  }
  return days
}

async function one ({ call, view, host, report }, days) {
  const { today, since, until } = days
  const store = new LogStore(view.logs.to, host)
  try {
    const { files, problems } = await call('logs.list', { today, olderThan: Math.min(until, THERE_DAYS) }, { timeoutMs: LIST_MS })
    const problemsOf = problems.map(({ kind, place, message, hint }) => ({ kind, file: place, message, hint }))
    const inDays = ({ day }) => today - day > until && today - day <= since
    const results = await pull({ call, store, report, host }, files.filter(inDays))
    const older = files.filter(({ day }) => today - day > since)
    const result = {
      from: dayText(today - since),
      to: dayText(today - until - 1),
      ...Object.fromEntries(KINDS.map(kind => [kind, view.logs[kind] ? summary(kind, results, days, store.days(kind)) : null])),
      older: await notHere({ call, store }, older, days.prune),
      problems: [...problemsOf, ...results.filter(({ error }) => error).map(({ file, error }) => ({ kind: file.kind, file: file.rel, message: error.message, hint: error.hint }))]
    }
    const verified = [...results.filter(({ error }) => !error), ...older.filter(({ sha256 }) => sha256).map(file => ({ file, sha256: file.sha256 }))]
      .filter(({ file }) => today - file.day > THERE_DAYS)
    return { ...result, ...await end({ call, store }, days, results, verified) }
  } finally {
    store.close()
  }
}

// -> [{ file, status: 'came' | 'kept', sha256 } | { file, error }]; a file that
// fails does not stop the others, a connection that fails does.
async function pull ({ call, store, report, host }, files) {
  const ofBytes = files.reduce((sum, { size }) => sum + size, 0)
  const results = []
  let done = 0
  const progress = () => report.progress(host, { files: results.length, ofFiles: files.length, bytes: Math.min(done, ofBytes), ofBytes })
  for (const file of files) {
    const before = done
    try {
      results.push({ file, ...await fetch({ call, store }, file, n => { done += n; progress() }) })
    } catch (err) {
      const error = toDeployError(err)
      if (['UC_DEPLOY_LOST', 'UC_DEPLOY_CANCELLED', 'UC_DEPLOY_DISK'].includes(error.code)) throw error
      results.push({ file, error })
    }
    done = before + file.size
    progress()
  }
  return results
}

async function fetch ({ call, store }, file, onBytes) {
  const { dir, name } = file
  let target = store.place(file)
  if (store.exists(target)) {
    const there = await call('logs.hash', { dir, name })
    if (await store.has(target, there)) return { status: 'kept', sha256: there.sha256, size: there.size }
    target = store.beside(target, there.sha256)
    if (await store.has(target, there)) return { status: 'kept', sha256: there.sha256, size: there.size }
  }
  // Once more from its beginning: what was left of the last time may be of another file.
  for (const isLast of [false, true]) {
    const offset = isLast ? 0 : store.resumeAt(target, file.size)
    const writer = await store.writer(target, offset)
    let got = offset
    let there
    try {
      there = await call('logs.read', { dir, name, offset }, {
        onChunk: async chunk => {
          got += chunk.length
          if (got > file.size) throw new DeployError('UC_DEPLOY_LOGS', `${name} grows while it is read`, { hint: 'it is still written: name archives only in `logs`' })
          await writer.write(chunk)
          onBytes(chunk.length)
        }
      })
    } finally {
      await writer.close()
      // One that cannot be read leaves nothing, one that broke off leaves what came.
      if (got === 0 && there === undefined) store.dropPart(target)
    }
    if (await store.finish(target, there)) return { status: 'came', sha256: there.sha256, size: there.size }
    store.dropPart(target)
  }
  throw new DeployError('UC_DEPLOY_LOGS', `${name} arrives with another checksum than it has there`, { hint: 'it changes while it is read, or a disk is failing' })
}

// A day is missing that has no archive there and none `here`: what is here may have been deleted there.
function summary (kind, results, { today, since, until }, here) {
  const mine = results.filter(({ file, error }) => file.kind === kind && !error)
  const came = mine.filter(({ status }) => status === 'came')
  const there = new Set(results.filter(({ file }) => file.kind === kind).map(({ file }) => file.day))
  const all = Array.from({ length: since - until }, (_, i) => today - since + i)
  return {
    came: came.map(({ file }) => file.rel),
    bytes: came.reduce((sum, { size }) => sum + size, 0),
    kept: mine.length - came.length,
    missing: all.filter(day => !there.has(day) && !here.has(day)).map(dayText)
  }
}

// Files that a week without a visit has left behind -> how many are not here.
// Those that are get their sha256, if they are to be deleted there.
async function notHere ({ call, store }, files, prune) {
  let count = 0
  for (const file of files) {
    const target = placeOf(store, file)
    if (target === null || !store.exists(target)) count++
    else if (prune) {
      const there = await call('logs.hash', { dir: file.dir, name: file.name })
      const isHere = await store.has(target, there) || await store.has(store.beside(target, there.sha256), there)
      if (isHere) Object.assign(file, { sha256: there.sha256, size: there.size })
      else count++
    }
  }
  return count
}

// null: what has no place here is not here.
function placeOf (store, file) {
  try {
    return store.place(file)
  } catch (err) {
    if (err instanceof DeployError) return null
    throw err
  }
}

async function end ({ call, store }, { today, keepDays, prune }, results, verified) {
  const came = results.filter(({ status }) => status === 'came')
  const list = verified.map(({ file, sha256, size = file.size }) => ({ dir: file.dir, name: file.name, size, sha256 }))
  const { pruned, left } = await call('logs.end', {
    today,
    olderThan: THERE_DAYS,
    came: { files: came.length, bytes: came.reduce((sum, { size }) => sum + size, 0) },
    prune: prune ? list : []
  })
  return { prunedThere: pruned, leftThere: left, prunedHere: prune ? store.prune({ today, keepDays }) : [] }
}

/** Days in a row as one: '2026-11-02 to 2026-11-05'. */
function spans (days) {
  const found = []
  for (const day of days) {
    const at = dayOf(Date.parse(day))
    if (found.at(-1)?.end === at - 1) Object.assign(found.at(-1), { end: at, last: day })
    else found.push({ first: day, last: day, end: at })
  }
  return found.map(({ first, last }) => first === last ? first : `${first} to ${last}`)
}

function text ({ host, error, from, to, older, problems, prunedThere, prunedHere, leftThere, ...kinds }) {
  if (error) return `${host}: ${error.message} (${error.code})${error.hint ? `\n  -> ${error.hint}` : ''}`
  const count = (n, word) => `${n} ${word}${n === 1 ? '' : 's'}`
  const lines = [`${host}: ${from} to ${to}`]
  for (const kind of KINDS) {
    const found = kinds[kind]
    if (!found) continue
    lines.push(`  ${kind}: ${count(found.came.length, 'file')} came (${bytes(found.bytes)}), ${found.kept} ${found.kept === 1 ? 'was' : 'were'} here`)
    for (const name of found.came) lines.push(`    ${name}`)
    if (found.missing.length) lines.push(`    missing: nothing of ${spans(found.missing).join(', ')}`)
  }
  if (older > 0) lines.push(`  ${count(older, 'file')} older than ${from} ${older === 1 ? 'is' : 'are'} not here: --since takes more days`)
  for (const { kind, file, message, hint } of problems) lines.push(`  ${kind}: ${file}: ${message}${hint ? `\n    -> ${hint}` : ''}`)
  for (const { path, why } of leftThere) lines.push(`  not deleted there: ${path}: ${why}`)
  if (prunedThere.length) lines.push(`  deleted there: ${count(prunedThere.length, 'file')}`)
  if (prunedHere.length) lines.push(`  deleted here: ${count(prunedHere.length, 'file')}`)
  return lines.join('\n')
}

module.exports = { logs }
