'use strict'

// npx undercroft deploy plan: what each step would do on each host. Nothing is changed there; here only the
// index of hashes is brought up to date, which makes the upload after it faster.

const crypto = require('node:crypto')
const fs = require('node:fs')
const { bytes } = require('../lib/base/format')
const { DeployError } = require('./errors')
const { manifestFor, survey } = require('./files/manifest')
const { MAX_PAYLOAD } = require('./frames')
const { eachHost } = require('./hosts')
const { printable } = require('./report')

const PLAN_MS = 60_000

/**
 * @param {object} config of load()
 * @param {object} options { host, force }
 * @param {object} io { report, … } as eachHost takes it
 * @returns {Promise<{ hosts: object[], failed: boolean }>} failed: on a host it could not be done
 */
async function plan (config, options, io) {
  const tree = await surveyed(config)
  const found = await eachHost(config, { host: options.host, lock: false, goOn: true }, io, ({ call, session, view, index }) => ask({ call, session, view, index, tree, force: options.force }))
  const hosts = found.map(({ host, value, error }) => ({ host, ...(error ? { error: error.toJSON?.() ?? { message: error.message } } : value) }))
  const failed = hosts.some(({ error, obstacles }) => error !== undefined || obstacles.length > 0)
  io.report.answer({ hosts, ok: !failed }, text(config, tree, hosts))
  return { hosts, failed }
}

// The plan runs nothing, the build either: before the first one there may be nothing to look at.
async function surveyed (config) {
  try {
    return await survey(config)
  } catch (err) {
    if (config.build?.where === 'here' && err.code === 'UC_DEPLOY_SOURCE') err.hint = `${err.hint}; the plan does not build: run the build once`
    throw err
  }
}

async function ask ({ call, session, view, index, tree, force }) {
  const { hash, text } = manifestFor(tree, view)
  const args = { env: hashOf(view.env.file, 'env.file'), gateway: hashOf(view.gateway?.file ?? null, 'gateway.file') }
  const there = await call('plan', args, { timeoutMs: PLAN_MS, payload: pieces(Buffer.from(text)) })
  const { status, same, serves, resumes, send, files, ports, gateway, writable } = there
  const upload = same !== null && !force ? { unchanged: same } : { resumes, hash: hash.slice(0, 8), send, ofFiles: files, install: view.install?.command ?? null }
  const isServed = upload.unchanged !== undefined && serves
  const obstacles = [
    ...(writable ? [] : [`${view.folder} cannot be written by ${session.facts.user}: install -d -o ${session.facts.user} ${view.folder}, as root`]),
    ...(upload.send?.bytes > status.disk.free ? [`the disk has ${bytes(status.disk.free)} free, and ${bytes(upload.send.bytes)} would be sent`] : []),
    ...ports.filter(({ taken }) => taken !== null && !isServed).map(({ port, taken }) => `port ${port} is taken by ${taken.pid === null ? `a process of user ${taken.uid}` : `pid ${taken.pid} (${taken.command})`}`)
  ]
  return {
    address: `${view.target.user}@${view.target.host}:${view.target.port}`,
    folder: view.folder,
    runtime: session.facts.runtime,
    current: status.active?.release ?? null,
    next: upload.unchanged ?? resumes ?? `<date>-<time>-${upload.hash}`,
    interrupted: status.interrupted,
    upload,
    start: {
      unchanged: isServed,
      ports: ports.map(({ port }) => port),
      from: status.active?.instances.map(({ port }) => port) ?? [],
      switch: view.switch,
      health: view.health.path,
      daemon: view.daemon && { db: view.daemon.db, runs: status.daemon?.alive === true },
      migrations: view.migrations && { command: view.migrations.command, when: view.migrations.when },
      gateway
    },
    commands: commandsOf(view, index, upload, gateway, isServed),
    obstacles
  }
}

// Every command of the configuration, in the order in which it would run, here or there.
function commandsOf (view, index, upload, gateway, isServed) {
  const { build, install, migrations, hooks } = view
  const isUploaded = upload.unchanged === undefined
  const out = []
  const add = (when, where, command) => out.push({ when, where, command: typeof command === 'function' ? 'a function' : command })
  const hook = (name) => {
    const what = hooks[name]
    if (what !== null) add(name, typeof what === 'function' ? 'here' : what.where, typeof what === 'function' ? what : what.command)
  }
  const isHere = (name) => typeof hooks[name] === 'function' || hooks[name]?.where === 'here'
  hook('beforeUpload')
  if (build?.where === 'here') add('build', 'here', build.command)
  if (build?.where === 'there' && isUploaded) add('build', 'there', build.command)
  if (install !== null && isUploaded) add('install', 'there', install.command)
  hook('afterUpload')
  if (!isServed || isHere('beforeStart')) hook('beforeStart')
  if (gateway?.changes) for (const name of ['test', 'reload']) add(`gateway.${name}`, 'there', view.gateway[name])
  if (isServed) return out
  if (migrations !== null && (migrations.once !== 'first-host' || index === 0)) add(`migrations, ${migrations.when}`, 'there', migrations.command)
  hook('afterSwitch')
  hook('afterStart')
  return out
}

/** sha256 of a file of the configuration, which has to be there. */
function hashOf (file, field) {
  if (file === null) return null
  try {
    return crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex')
  } catch (cause) {
    throw new DeployError('UC_DEPLOY_CONFIG', `deploy.config.js: ${field}: ${file} cannot be read (${cause.code})`, { cause })
  }
}

function * pieces (buffer) {
  for (let at = 0; at < buffer.length; at += MAX_PAYLOAD) yield buffer.subarray(at, at + MAX_PAYLOAD)
}

// ---- for people -------------------------------------------------------------------------------

function text (config, tree, hosts) {
  const lines = [`${config.app}: ${tree.files.length} files, ${bytes(tree.bytes)} in ${config.source}${config.build?.where === 'here' ? ', as they are before the build' : ''}; ` +
    `${hosts.length} ${hosts.length === 1 ? 'host' : `hosts, ${config.order === 'one' ? 'one after the other' : 'all at once'}`}`]
  for (const one of hosts) lines.push('', ...(one.error === undefined ? hostLines(one) : failedLines(one)))
  return lines.join('\n').split('\n').map(printable).join('\n')
}

function failedLines ({ host, error }) {
  return [host, `  cannot be planned: ${error.message} (${error.code ?? 'UC_DEPLOY_INTERNAL'})`, ...(error.hint ? [`  -> ${error.hint}`] : [])]
}

function hostLines ({ host, address, folder, runtime, current, next, interrupted, upload, start, commands, obstacles }) {
  const row = (name, what) => `  ${name.padEnd(10)} ${what}`
  const lines = [
    `${host}  ${address}:${folder}, ${runtime.name} ${runtime.version}`,
    row('now', current === null ? 'nothing runs' : `${current} on port ${start.from.join(', ')}`)
  ]
  if (interrupted !== null) lines.push(row('first', `the deployment of ${interrupted.release}, which was interrupted, is ${interrupted.switched ? 'finished' : 'undone'}`))
  if (upload.unchanged !== undefined) lines.push(row('1 upload', `nothing: ${upload.unchanged} is the same and complete`))
  else {
    lines.push(row('1 upload', `${upload.resumes === null ? `a new release, ${next}` : `goes on with ${next}`}: ${upload.send.files} of ${upload.ofFiles} files are sent, ${bytes(upload.send.bytes)}`))
    for (const { path, size } of upload.send.files <= 10 ? upload.send.largest : []) lines.push(row('', `  ${path} (${bytes(size)})`))
  }
  if (start.unchanged) lines.push(row('2 start', `nothing: ${upload.unchanged} serves already, with the same settings`))
  else lines.push(row('2 start', `on port ${start.ports.join(', ')}; health ${start.health}; switch: ${start.switch}`))
  if (start.daemon !== null) lines.push(row('daemon', `undercroftd serves ${start.daemon.db}: ${start.unchanged ? 'goes on' : start.daemon.runs ? 'replaced if the release brings another one' : 'started'}`))
  if (start.gateway !== null) lines.push(row('gateway', start.gateway.changes ? `${start.gateway.to} is replaced` : `${start.gateway.to} stays as it is`))
  for (const { when, where, command } of commands) lines.push(row('runs', `${where}: ${Array.isArray(command) ? command.join(' ') : command}  (${when})`))
  for (const what of obstacles) lines.push(row('BUT', what))
  return lines
}

module.exports = { plan }
