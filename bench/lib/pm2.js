'use strict'

// A pm2 of its own: its daemon, its files and its service are in one folder and end with
// stop().

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { execFile } = require('node:child_process')
const { freePort, startNginx } = require('../../test/deploy/parts/nginx')
const { open } = require('../..')

const PM2 = path.join(__dirname, '../node_modules/pm2/bin/pm2')
const SCRIPT = path.join(__dirname, '../servers/shop-pm2.js')
const COMMAND_MS = 120_000
const END_MS = 10_000

/** The service in cluster mode, two processes, behind nginx. -> { url, deploy(), numbers(), stop() } */
async function startPm2 () {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'uc-pm2-'))
  const port = await freePort()
  const db = path.join(dir, 'shop.db')
  const file = path.join(dir, 'ecosystem.config.js')
  // As the documentation says for a reload without downtime: cluster mode, more than one process,
  // wait_ready with its time-out and kill_timeout, with the values of its examples.
  fs.writeFileSync(file, `module.exports = ${JSON.stringify({
    apps: [{
      name: 'shop',
      script: SCRIPT,
      exec_mode: 'cluster',
      instances: 2,
      wait_ready: true,
      listen_timeout: 10000,
      kill_timeout: 3000,
      env: { NODE_ENV: 'production', PORT: String(port), SHOP_DB: db }
    }]
  })}\n`)
  const pm2 = (...args) => run(dir, args)
  await pm2('start', file)
  const nginx = await startNginx({ app: 'shop', folder: dir, ports: [port], mode: 'ports' })
  return {
    url: nginx.url,
    errors: nginx.errors,
    deploy: () => pm2('reload', 'shop'),
    async numbers () {
      const store = open(db)
      try {
        return (await store.db.values('select number from orders')).map(([number]) => number)
      } finally {
        await store.close()
      }
    },
    async stop () {
      await nginx.stop()
      await end(dir, pm2)
      fs.rmSync(dir, { recursive: true, force: true })
    }
  }
}

function run (dir, args) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PM2_HOME: path.join(dir, 'home'), NODE_OPTIONS: '' }
    execFile(process.execPath, [PM2, ...args], { cwd: dir, env, timeout: COMMAND_MS, maxBuffer: 1 << 26 }, (err, out, text) => {
      if (err) reject(new Error(`pm2 ${args[0]}: ${err.message}\n${out}\n${text}`))
      else resolve(out)
    })
  })
}

// pm2 ends its own daemon; one that does not go is ended by its pid, with what it has started.
async function end (dir, pm2) {
  const pids = [Number(fs.readFileSync(path.join(dir, 'home/pm2.pid'), 'utf8'))]
  try {
    pids.push(...JSON.parse(await pm2('jlist')).map(({ pid }) => pid))
    await pm2('kill')
  } catch {
    // What is left is found below.
  }
  const limit = Date.now() + END_MS
  for (const pid of pids.filter(pid => pid > 0)) {
    while (isAlive(pid) && Date.now() < limit) await new Promise(resolve => { setTimeout(resolve, 20) })
    if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  }
}

function isAlive (pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

module.exports = { startPm2 }
