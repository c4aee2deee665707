'use strict'

// Writes what a deployment needs: the configuration, the gateway's, rotation, a unit, npm scripts. Asks
// nothing; what is there already is left alone unless told otherwise.

const fs = require('node:fs')
const path = require('node:path')
const { address } = require('./fields')
const { DeployError } = require('./errors')
const { NAMES } = require('./config')
const { At } = require('./schema')
const configText = require('./templates/config')
const logrotateConf = require('./templates/logrotate.conf')
const nginxConf = require('./templates/nginx.conf')
const unit = require('./templates/unit')

const PORTS = [4000, 4001]
const GATEWAY = 'deploy/nginx.conf'

const SCRIPTS = {
  deploy: 'undercroft deploy',
  ...Object.fromEntries(['plan', 'upload', 'start', 'rollback', 'status', 'logs'].map((action) => [`deploy:${action}`, `undercroft deploy ${action}`]))
}

/**
 * @param {object} options
 * @param {string} [options.app] default: the name of the package, or of the folder
 * @param {string[]} [options.host] 'user@host'
 * @param {string} [options.folder] on the hosts
 * @param {string[]} [options.origin] of front-ends
 * @param {'node'|'bun'} [options.runtime]
 * @param {boolean} [options.force]
 * @param {(site: { app: string, door: string }) => Promise<{ http: string, server: string }>} [options.routes] what the
 *   gateway has to know of routes that the daemon answers; none without it
 * @param {object} io { report }
 * @param {string} [dir] where
 * @returns {Promise<{ written: string[], kept: string[], scripts: string[] }>}
 * @throws {DeployError} UC_DEPLOY_USAGE; nothing is written then
 */
async function init (options, { report }, dir = process.cwd()) {
  const pkg = readPackage(dir)
  const site = readSite(options, pkg, dir)
  const gateway = readGateway(path.join(dir, GATEWAY))
  if (options.origin === undefined) site.origins = gateway?.origins ?? []
  const routes = options.routes === undefined ? null : await options.routes({ app: site.app, door: `unix:${site.folder}/run/http.sock` })
  const configName = NAMES.find((name) => fs.existsSync(path.join(dir, name))) ?? 'deploy.config.js'
  const isModule = configName.endsWith('.mjs') || (configName.endsWith('.js') && pkg?.value.type === 'module')
  const files = {
    [configName]: configText({ ...site, hasRoutes: routes !== null, isModule }),
    [GATEWAY]: nginxConf({ ...site, routes, own: gateway?.own ?? null }),
    [`deploy/${site.app}@.service`]: unit(site),
    'deploy/logrotate.conf': logrotateConf(site)
  }
  const written = []
  const kept = []
  for (const [name, text] of Object.entries(files)) {
    const may = options.force || (name === GATEWAY && gateway?.isOurs === true && gateway.text !== text)
    ;(write(path.join(dir, name), text, may) ? written : kept).push(name)
  }
  const scripts = pkg === null ? [] : addScripts(pkg)
  report.answer({ written, kept, scripts }, said({ ...site, written, kept, scripts, pkg, configName }))
  return { written, kept, scripts }
}

// What is there already, and what of it is somebody's own.
function readGateway (file) {
  let text
  try {
    text = fs.readFileSync(file, 'utf8')
  } catch {
    return null
  }
  return { text, own: nginxConf.readOwn(text), origins: nginxConf.readOrigins(text), isOurs: nginxConf.isOurs(text) }
}

function readPackage (dir) {
  const file = path.join(dir, 'package.json')
  let text
  try {
    text = fs.readFileSync(file, 'utf8')
  } catch (err) {
    if (err.code === 'ENOENT') return null
    throw new DeployError('UC_DEPLOY_USAGE', `package.json cannot be read: ${err.message}`, { cause: err })
  }
  try {
    const value = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return { file, text, value }
  } catch {
    // Told below, as is JSON that is no object.
  }
  throw new DeployError('UC_DEPLOY_USAGE', `${file} is not a JSON object`, { hint: 'repair it first: npm scripts are added to it' })
}

function readSite ({ app, host = [], folder, origin = [], runtime }, pkg, dir) {
  const name = app ?? appName(pkg?.value.name ?? path.basename(path.resolve(dir)))
  if (!/^[a-z0-9][a-z0-9-]{0,40}$/.test(name)) throw usage('--app', 'a name of small letters, digits and "-"', name)
  if (folder !== undefined && !/^\/[^\s"'\\;{}$%]+$/.test(folder)) throw usage('--folder', 'an absolute path without spaces and quotes', folder)
  for (const one of origin) {
    if (!isOrigin(one)) throw usage('--origin', 'scheme, host and port as a browser sends them, such as https://www.example.com', one)
  }
  for (const one of host) {
    const faults = []
    address(one, new At('', faults))
    if (faults.length > 0) throw usage('--host', 'user@host or user@host:port', one)
  }
  const chosen = runtime ?? (['bun.lock', 'bun.lockb'].some((name) => fs.existsSync(path.join(dir, name))) ? 'bun' : 'node')
  if (!['node', 'bun'].includes(chosen)) throw usage('--runtime', 'node or bun', chosen)
  const [, user] = /^([^@]+)@/.exec(host[0] ?? '') ?? []
  return {
    app: name,
    hosts: host.length > 0 ? host : ['deploy@host.example.com'],
    folder: folder?.replace(/\/+$/, '') ?? `/srv/${name}`,
    origins: origin,
    runtime: chosen,
    start: [mainOf(pkg, dir)],
    user: user ?? 'deploy',
    ports: PORTS,
    hasBuild: typeof pkg?.value.scripts?.build === 'string'
  }
}

function usage (option, wanted, value) {
  return new DeployError('UC_DEPLOY_USAGE', `${option}: expected ${wanted}, not ${JSON.stringify(value)}`)
}

/** '@team/My_shop' -> 'my-shop' */
function appName (text) {
  const name = text.replace(/^@[^/]*\//, '').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 41)
  return name === '' ? 'app' : name
}

function isOrigin (text) {
  try {
    return new URL(text).origin === text
  } catch {
    return false
  }
}

function mainOf (pkg, dir) {
  const names = [pkg?.value.main, 'server.js', 'index.js', 'src/server.js', 'server.ts', 'index.ts'].filter((name) => typeof name === 'string')
  return names.map((name) => path.posix.normalize(name)).find((name) => fs.existsSync(path.join(dir, name))) ?? 'server.js'
}

// -> whether it was written; a file that is there stays, unless forced.
function write (file, text, force) {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  try {
    fs.writeFileSync(file, text, { flag: force ? 'w' : 'wx' })
    return true
  } catch (err) {
    if (err.code === 'EEXIST') return false
    throw new DeployError('UC_DEPLOY_ACCESS', `${file} cannot be written: ${err.message}`, { cause: err })
  }
}

// ---- npm scripts ------------------------------------------------------------------------------

/** Adds the scripts that are lacking, in the file's own indentation and line ends. */
function addScripts ({ file, text, value }) {
  const there = value.scripts ?? {}
  const lacking = Object.keys(SCRIPTS).filter((name) => there[name] === undefined)
  if (lacking.length === 0 || typeof there !== 'object') return []
  const scripts = { ...there, ...Object.fromEntries(lacking.map((name) => [name, SCRIPTS[name]])) }
  const indent = /^[[{]\r?\n([ \t]+)/.exec(text)?.[1] ?? '  '
  const end = /\r\n/.test(text) ? '\r\n' : '\n'
  const body = JSON.stringify({ ...value, scripts }, null, indent).replaceAll('\n', end)
  fs.writeFileSync(file, body + /\s*$/.exec(text)[0])
  return lacking
}

// ---- what is said -----------------------------------------------------------------------------

function said ({ app, hosts, folder, user, runtime, written, kept, scripts, pkg, configName }) {
  const { host, port, user: as = user } = address(hosts[0], new At('', []))
  const ssh = `ssh ${port === undefined ? '' : `-p ${port} `}${as}@${host}`
  const lines = [
    ...written.map((name) => `wrote ${name}`),
    ...kept.map((name) => `kept  ${name}, which is there already (--force overwrites it)`)
  ]
  if (scripts.length > 0) lines.push(`added to package.json: ${scripts.join(', ')}`)
  if (pkg === null) lines.push('there is no package.json: without npm scripts, say npx undercroft deploy plan')
  return [
    ...lines,
    '',
    'Next:',
    `1. Look through ${configName}: the hosts, and what they are to start.`,
    '2. npm install --save-dev ssh2',
    '3. In the service, one line that lets it drain: const { graceful } = require(\'undercroft/graceful\')',
    `4. Know the key of each host, and bring the files there; ${runtime} has to be in the PATH of ${as}:`,
    `     ${ssh} true`,
    `     scp ${port === undefined ? '' : `-P ${port} `}deploy/* ${as}@${host.includes(':') ? `[${host}]` : host}:`,
    '5. Once on each host, as root:',
    `     cd ~${as}`,
    `     install -d -o ${as} -g ${as} ${folder}`,
    `     cp nginx.conf /etc/nginx/conf.d/${app}.conf`,
    '     rm -f /etc/nginx/sites-enabled/default    # of Debian: takes all that no server_name names. Or set server_name',
    `     cp logrotate.conf /etc/logrotate.d/${app}`,
    '   and so that the service comes back after a reboot, with systemd:',
    `     cp ${app}@.service /etc/systemd/system/ && systemctl daemon-reload`,
    ...(user === 'root' ? [] : [`     grep -o '${user} ALL=.*' ${app}@.service | install -m 440 /dev/stdin /etc/sudoers.d/${app} && visudo -c`]),
    `   without systemd, from here; cron wants the full path of ${runtime}, which is asked for there:`,
    `     ${ssh} '(crontab -l; echo "@reboot flock ${folder}/.deploy/lock $(command -v ${runtime}) ${folder}/.deploy/agent/boot.js") | crontab -'`,
    '6. npm run deploy:plan, then npm run deploy. Into .gitignore: .undercroft/ and server-logs/',
    '7. On each host, as root: nginx -t && nginx -s reload. No deployment after that reloads it.'
  ].join('\n')
}

module.exports = { SCRIPTS, addScripts, appName, init }
