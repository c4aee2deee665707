'use strict'

// All of a deployment on one machine: a "host" with its own sshd, a gateway in front of it,
// the service of examples/deployed in a folder from which the real command line deploys it.
//
//   const site = await startSite({ mode: 'socket' })
//   await site.deploy()                 // a new release each time: a file has changed
//   const numbers = await site.numbers()
//   await site.stop()

const fs = require('node:fs')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { startHosts } = require('./sshd')
const { freePort, startNginx } = require('./nginx')
const { open } = require('../../..')
const { nginx: nginxRoutes } = require('../../../lib/cli/routes/nginx')

const root = path.join(__dirname, '../../..')
const example = path.join(root, 'examples/deployed')
const DEADLINE_MS = 120_000

/**
 * @param {object} [options]
 * @param {'socket'|'ports'} [options.mode]
 * @param {{ name: string, path: string }} [options.runtime] of the service and the agent
 * @param {boolean} [options.daemon] the service reaches its database through undercroftd
 * @param {boolean} [options.routes] orders are routes, which the daemon answers; all else is the service's
 * @param {object} [options.config] more fields of the configuration
 * @param {object} [options.site] more fields for nginx, see startNginx
 */
async function startSite ({ mode = 'socket', runtime = { name: 'node', path: process.execPath }, daemon = false, routes = false, config = {}, site = {} } = {}) {
  const hosts = await startHosts(null, 1)
  const [{ folder, ...host }] = hosts
  const source = path.join(hosts.dir, 'source')
  fs.cpSync(example, source, { recursive: true, filter: file => !/node_modules|\.db/.test(path.basename(file)) })
  // Two releases write to the file at the same time, on a disk that may be slow.
  if (!daemon && !routes) patch(path.join(source, 'server.js'), '?? file)', '?? file, { busyTimeoutMs: 60_000 })')
  const ports = [await freePort(), await freePort()]
  const written = {
    app: 'shop',
    hosts: [{ name: host.name, host: host.host, port: host.port, user: host.user, key: host.key, agent: false, knownHosts: host.knownHosts }],
    folder,
    // What npm would install, from where it lies already.
    install: `mkdir -p node_modules && ln -sfn '${root}' node_modules/undercroft`,
    runtime,
    start: ['server.js'],
    launcher: 'process',
    ports,
    switch: mode,
    health: { path: '/health', timeoutMs: 30_000, everyMs: 50 },
    watchMs: 300,
    drainMs: 20_000,
    keep: 2,
    ...(daemon ? { daemon: { db: '$SHARED/shop.db' } } : {}),
    ...(routes ? { daemon: { db: '$SHARED/shop.db', routes: 'routes' } } : {}),
    ...config
  }
  const write = () => fs.writeFileSync(path.join(source, 'deploy.config.js'), `module.exports = ${JSON.stringify(written, null, 2)}\n`)
  write()
  // nginx looks for the sockets in a folder that the first deployment makes; it asks when a request comes.
  const nginx = await startNginx({ app: 'shop', folder, ports, mode, keepAliveSeconds: 1, ...routes ? { routes: paths(folder) } : {}, ...site })

  let number = 0
  const run = (...args) => cli(source, args)
  return {
    folder,
    source,
    ports,
    nginx,
    url: nginx.url,
    host,
    cli: run,
    /** Changes fields of the configuration. */
    configure (fields) {
      Object.assign(written, fields)
      write()
    },
    /** Changes a file and deploys. @throws with what was said, when it fails */
    async deploy () {
      fs.writeFileSync(path.join(source, 'version.json'), JSON.stringify({ number: ++number }))
      if (routes) writeRoutes(source, number)
      const { code, text } = await run()
      if (code !== 0) throw new Error(`deployment ${number} ended with exit code ${code}:\n${text}`)
      return text
    },
    /** Of all orders, by a reader of the same file. */
    async numbers () {
      const store = open(daemon || routes ? `ipc://${path.join(folder, 'run/undercroft.sock')}` : path.join(folder, 'shared/shop.db'), { timeoutMs: 60_000 })
      try {
        return (await store.db.values('select number from orders')).map(([number]) => number)
      } finally {
        await store.close()
      }
    },
    /** Ends all that was started here and on the host, by pid. */
    async stop () {
      await endProcesses(folder)
      await nginx.stop()
      await hosts.stop()
    }
  }
}

// What the example does in JavaScript. Which release answers is written into them.
function writeRoutes (source, number) {
  fs.mkdirSync(path.join(source, 'routes'), { recursive: true })
  fs.writeFileSync(path.join(source, 'routes/orders.sql'), `-- @post /orders :one
-- @param number integer
-- @param item   text
-- @public
insert into orders(number, item, release, at) values (:number, :item, 'v${number}', :_now) returning number, 'v${number}' as release;

-- @get /order :one!
-- @param number integer
-- @public
select number, item, 'v${number}' as release from orders where number = :number;
`)
}

function paths (folder) {
  const route = (method, path) => ({ method, path, public: true, params: [], rate: null })
  return nginxRoutes([route('POST', '/orders'), route('GET', '/order')], { app: 'shop', door: `unix:${folder}/run/http.sock` })
}

function patch (file, what, by) {
  const text = fs.readFileSync(file, 'utf8')
  if (!text.includes(what)) throw new Error(`${file} has no ${what}`)
  fs.writeFileSync(file, text.replace(what, by))
}

// -> { code, text }: the exit code and all that was said
function cli (cwd, args) {
  return new Promise((resolve, reject) => {
    const proc = spawn(process.execPath, [path.join(root, 'lib/cli/main.js'), 'deploy', ...args], {
      cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' }, timeout: DEADLINE_MS, killSignal: 'SIGKILL'
    })
    let text = ''
    for (const stream of [proc.stdout, proc.stderr]) stream.setEncoding('utf8').on('data', piece => { text += piece })
    proc.on('error', reject)
    proc.on('close', (code, signal) => resolve({ code: code ?? signal, text }))
  })
}

// What a deployment leaves running on a host has its folder in its environment, its command
// line or as its working directory. A supervisor goes before what it would start again.
async function endProcesses (folder) {
  for (let attempt = 0; attempt < 200; attempt++) {
    const left = fs.readdirSync('/proc').filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
      .map(Number).filter(pid => belongs(pid, folder))
      .sort((a, b) => a - b)
    if (left.length === 0) return
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch (err) {
        if (err.code !== 'ESRCH') throw err
      }
    }
    await new Promise(resolve => { setTimeout(resolve, 25) })
  }
}

function belongs (pid, folder) {
  const inside = text => text === folder || text.startsWith(`${folder}/`)
  try {
    if (fs.readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')) return false
    if (inside(fs.readlinkSync(`/proc/${pid}/cwd`))) return true
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').some(word => inside(word.replace(/^[a-z]+:\/\//, '').replace(/^\w+=/, '')))
  } catch {
    return false
  }
}

module.exports = { endProcesses, startSite }
