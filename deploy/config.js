'use strict'

// Reads deploy.config.js: finds it, runs it, checks every field, fills in what is not given. The result is
// frozen; nothing else in deploy/ looks at what the user wrote.

const fs = require('node:fs')
const path = require('node:path')
const { pathToFileURL } = require('node:url')
const { describe } = require('../lib/base/errors')
const { DeployError } = require('./errors')
const { address, common, host, install, perHost, ssh } = require('./fields')
const { At, isPlain, object, refuseUnknown } = require('./schema')

const NAMES = ['deploy.config.js', 'deploy.config.cjs', 'deploy.config.mjs']

// Functions and promises of a configuration are waited for so long.
const LOAD_MS = 60_000
const MOST_HOSTS = 256

/**
 * @param {object} [options]
 * @param {string} [options.file] the configuration; otherwise it is looked for in cwd
 * @param {string} [options.cwd]
 * @param {string} [options.action] told to a configuration that is a function
 * @returns {Promise<Config>}
 * @throws {DeployError} UC_DEPLOY_CONFIG with all that is wrong, one a line
 */
async function load ({ file, cwd = process.cwd(), action = null } = {}) {
  const found = find(file, cwd)
  return validate(await evaluate(found, action), { file: found })
}

function find (file, cwd) {
  if (file !== undefined) {
    const whole = path.resolve(cwd, file)
    if (fs.existsSync(whole)) return whole
    throw new DeployError('UC_DEPLOY_CONFIG', `there is no file ${whole}`, { hint: '--config names the configuration; npx undercroft deploy init writes one' })
  }
  const names = NAMES.filter((name) => fs.existsSync(path.join(cwd, name)))
  if (names.length === 1) return path.join(cwd, names[0])
  if (names.length > 1) throw new DeployError('UC_DEPLOY_CONFIG', `there are ${names.join(' and ')} in ${cwd}: keep one, or name one with --config`)
  throw new DeployError('UC_DEPLOY_CONFIG', `there is no deploy.config.js in ${cwd}`, { hint: 'npx undercroft deploy init writes one; --config names another' })
}

async function evaluate (file, action) {
  const name = path.basename(file)
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`it was not over after ${LOAD_MS / 1000} s`)), LOAD_MS)
  })
  try {
    return await Promise.race([late, (async () => {
      const { default: value } = await import(pathToFileURL(file).href)
      return typeof value === 'function' ? value({ action }) : value
    })()])
  } catch (cause) {
    throw new DeployError('UC_DEPLOY_CONFIG', `${name}${lineOf(cause, name)} cannot be run: ${cause?.message ?? cause}`, { cause })
  } finally {
    clearTimeout(timer)
  }
}

// Where in the file it happened, as far as the stack tells, or for Bun's parser the error itself.
function lineOf (err, name) {
  if (err?.position?.line > 0) return `, line ${err.position.line},`
  const stack = String(err?.stack ?? '')
  const at = stack.indexOf(`/${name}:`)
  const line = at === -1 ? '' : /^\d+/.exec(stack.slice(at + name.length + 2))
  return line ? `, line ${line},` : ''
}

/**
 * @param {object} raw what the file exports
 * @param {object} place
 * @param {string} place.file its path, for messages and as the place that paths start from
 * @returns {Config}
 */
function validate (raw, { file }) {
  const name = path.basename(file)
  const faults = []
  const at = new At('', faults)
  if (!isPlain(raw)) {
    throw new DeployError('UC_DEPLOY_CONFIG', `${name}: expected an object (module.exports = { app: …, hosts: […] }), a function or a promise of one, not ${describe(raw)}`)
  }
  refuseUnknown(raw, ['hosts', 'ssh', 'install', ...Object.keys(common), ...Object.keys(perHost)], at)
  const { hosts: rawHosts, ssh: rawSsh, install: rawInstall } = raw
  const shared = object(common)(pick(raw, common), at)
  const ways = object(ssh)(rawSsh ?? {}, at.in('ssh')) ?? {}
  const views = readHosts(rawHosts, raw, shared, { ...rawSsh }, at)
  const config = { ...shared, ssh: ways, file, dir: path.dirname(file) }
  config.source = path.resolve(config.dir, config.source ?? '.')
  if (shared?.migrations?.once === 'first-host' && shared.order === 'all' && views.length > 1) {
    at.in('migrations').in('once').wrong("'first-host' does not go with order: 'all', as the other hosts would not wait for the first: set order: 'one'")
  }
  config.install = readInstall(rawInstall, config.source, views[0]?.runtime?.name, at.in('install'))
  if (faults.length > 0) throw refuse(name, faults)
  return finish(config, views)
}

function pick (raw, fields) {
  return Object.fromEntries(Object.keys(fields).filter((name) => raw[name] !== undefined).map((name) => [name, raw[name]]))
}

// ---- hosts ------------------------------------------------------------------------------------

function readHosts (hosts, raw, shared, rawSsh, at) {
  const place = at.in('hosts')
  // The fields that hold for all are read by themselves, so that a mistake in one is told once.
  const first = at.count
  const base = readPerHost(pick(raw, perHost), shared.app, at)
  const isBaseSound = at.count === first
  if (!Array.isArray(hosts) || hosts.length === 0 || hosts.length > MOST_HOSTS) {
    place.expected(`a list of one to ${MOST_HOSTS} hosts such as ['deploy@10.0.0.1']`, hosts)
    return []
  }
  const views = Array.from(hosts, (entry, i) => readHost(entry, { raw, base, isBaseSound, app: shared.app, rawSsh }, place.in(i)))
  unique(views, place)
  return views
}

function readHost (entry, { raw, base, isBaseSound, app, rawSsh }, at) {
  const parts = address(entry, at)
  if (parts === undefined) return null
  const known = ['name', 'host', ...Object.keys(ssh), ...Object.keys(perHost)]
  refuseUnknown(parts, known, at)
  // What is wrong in `ssh` has been told there.
  const own = Object.fromEntries(Object.keys(ssh).filter((name) => parts[name] !== undefined).map((name) => [name, parts[name]]))
  const target = object({ host, ...ssh })({ ...sound(rawSsh), ...own, host: parts.host }, at)
  const name = parts.name ?? parts.host
  if (typeof name !== 'string' || !/^[A-Za-z0-9._:%-]{1,255}$/.test(name)) at.in('name').expected('a name of letters, digits, ".", "_" and "-"', name)
  const others = pick(parts, perHost)
  if (Object.keys(others).length === 0) return { ...base, target: { name, ...target } }
  return { ...readPerHost(isBaseSound ? merge(pick(raw, perHost), others) : others, app, at, Object.keys(others)), target: { name, ...target } }
}

// The fields of `ssh` that are right.
function sound (raw) {
  const out = {}
  for (const [name, field] of Object.entries(ssh)) {
    const faults = []
    if (raw[name] === undefined) continue
    field.check(raw[name], new At('', faults))
    if (faults.length === 0) out[name] = raw[name]
  }
  return out
}

/** A host's own fields over those of all: one level deep, so that { health: { timeoutMs } } keeps the path. */
function merge (all, own) {
  const out = { ...all, ...own }
  for (const [name, value] of Object.entries(own)) {
    if (!isPlain(value) || !isPlain(all[name])) continue
    out[name] = { ...all[name], ...value }
    if (name === 'env' && isPlain(all.env.set) && isPlain(value.set)) out.env.set = { ...all.env.set, ...value.set }
  }
  return out
}

// `own`: the names of the fields that are the host's own; without them what is required may be missing.
function readPerHost (raw, app, at, own) {
  const fields = own === undefined ? perHost : { ...perHost, start: { ...perHost.start, required: undefined } }
  const view = object(fields)(raw, at)
  view.folder ??= raw.folder === undefined && app !== undefined ? `/srv/${app}` : undefined
  view.systemd = view.systemd && { ...view.systemd, unit: view.systemd.unit ?? `${app}@.service` }
  const count = view.instances ?? 1
  if (raw.ports === undefined) view.ports = Array.from({ length: 2 * count }, (_, i) => 4000 + i)
  else if (view.ports !== undefined && view.ports.length !== 2 * count) {
    at.in('ports').wrong(`expected two ports for each instance: ${2 * count}, not ${view.ports.length}`)
  }
  return view
}

function unique (views, at) {
  const names = new Map()
  const places = new Map()
  for (const [i, view] of views.entries()) {
    if (view === null) continue
    const { name, host, port } = view.target
    if (names.has(name)) at.in(i).in('name').wrong(`${JSON.stringify(name)} is already the name of hosts[${names.get(name)}]`)
    else names.set(name, i)
    const place = `${host} ${port} ${view.folder}`
    if (places.has(place)) at.in(i).wrong(`is the same host and folder as hosts[${places.get(place)}]`)
    else places.set(place, i)
  }
}

// ---- install ----------------------------------------------------------------------------------

// What installs exactly what a lock file says, and nothing that only development needs.
const INSTALLERS = [
  [['bun.lock', 'bun.lockb'], ['bun', 'install', '--frozen-lockfile', '--production']],
  [['package-lock.json', 'npm-shrinkwrap.json'], ['npm', 'ci', '--omit=dev']],
  [['pnpm-lock.yaml'], ['pnpm', 'install', '--frozen-lockfile', '--prod']]
]

function readInstall (raw, source, runtime, at) {
  if (raw === null) return null
  if (raw !== undefined) return install(raw, at)
  const lock = INSTALLERS.filter(([names]) => names.some((name) => fs.existsSync(path.join(source, name))))
  const chosen = lock.find(([, command]) => (command[0] === 'bun') === (runtime === 'bun')) ?? lock[0]
  if (chosen !== undefined) return install(chosen[1], at)
  if (hasDependencies(source)) {
    at.wrong(`package.json names dependencies and there is no lock file in ${source}: ` +
      'make one (npm install), or say what installs them; null installs nothing')
  }
  return null
}

function hasDependencies (source) {
  try {
    const { dependencies = {} } = JSON.parse(fs.readFileSync(path.join(source, 'package.json'), 'utf8'))
    return Object.keys(dependencies).length > 0
  } catch {
    // Without a package.json there is nothing to install; a broken one is told by what installs.
    return false
  }
}

// ---- the result -------------------------------------------------------------------------------

function refuse (name, faults) {
  // A mistake for all hosts may be found at several of them.
  const lines = [...new Set(faults.map(({ path, text }) => `${name}: ${path}${path === '' ? '' : ': '}${text}`))]
  return new DeployError('UC_DEPLOY_CONFIG', lines.join('\n'), { details: { faults } })
}

function finish (config, views) {
  const { dir } = config
  const here = (file) => file === null ? null : path.resolve(dir, file)
  config.never = [...new Set(views.flatMap((view) => stays(config, view, here)).flatMap((file) => below(config.source, file)))]
  const ready = views.map((view) => freeze({
    ...config,
    ...view,
    hosts: views.length,
    env: { ...view.env, file: here(view.env.file) },
    gateway: view.gateway && { ...view.gateway, file: here(view.gateway.file) },
    logs: { ...view.logs, to: here(view.logs.to) },
    target: { ...view.target, key: here(view.target.key), jump: view.target.jump && view.target.jump.map((hop) => ({ ...hop, key: here(hop.key) })) }
  }))
  return freeze({ ...config, ...ready[0], target: undefined, hosts: ready.map((view) => view.target), forHost: (i) => ready[i] })
}

// What stays on this machine wherever it lies: secrets, the configuration, and what is kept and brought here,
// which is not to go back with the next release.
function stays ({ dir, file }, { env, logs, target }, here) {
  const keys = [target.key, ...(target.jump ?? []).map((hop) => hop.key)]
  return [file, path.join(dir, '.undercroft'), env.file, logs.to, ...keys].filter((name) => typeof name === 'string').map(here)
}

// -> [its path in the folder], none if it is elsewhere; two where a link leads there by another name.
function below (folder, file) {
  return [path.relative(folder, file), path.relative(real(folder), real(file))]
    .filter((name) => name !== '' && name !== '..' && !name.startsWith('../'))
}

function real (file) {
  try {
    return fs.realpathSync(file)
  } catch {
    // It is not there yet: its folder may be.
    const folder = path.dirname(file)
    return folder === file ? file : path.join(real(folder), path.basename(file))
  }
}

// Everything but functions, which are the user's.
function freeze (value) {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.values(value).forEach(freeze)
  return Object.freeze(value)
}

/**
 * What the agent on a host gets of its configuration: plain data, and nothing that is a secret or only
 * matters here.
 *
 * @param {object} view of forHost
 */
function forAgent (view) {
  const { target, hosts, file, dir, source, include, ignore, never, ssh, build, env, logs, gateway, hooks, ...rest } = view
  const there = Object.entries(hooks).filter(([, hook]) => hook !== null && typeof hook !== 'function' && hook.where === 'there')
  return {
    ...rest,
    host: target.name,
    build: build?.where === 'there' ? build : null,
    env: { set: env.set },
    logs: { application: logs.application, gateway: logs.gateway },
    gateway: gateway && { to: gateway.to, test: gateway.test, reload: gateway.reload },
    hooks: Object.fromEntries(there)
  }
}

module.exports = { NAMES, forAgent, load, validate }
