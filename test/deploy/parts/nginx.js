'use strict'

// A real nginx in a folder of its own, as root or not, with the site that `deploy init`
// writes. It listens on a port of 127.0.0.1 and is ended by its pid.

const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { execFile, spawn } = require('node:child_process')
const nginxConf = require('../../../deploy/templates/nginx.conf.js')

const READY_MS = 60_000
const END_MS = 5000

const program = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].find(file => fs.existsSync(file)) ?? 'nginx'

/**
 * @param {object} site of deploy/templates/nginx.conf.js: app, folder, ports, mode, …; and
 *   keepAliveSeconds in place of the template's, for tests that wait for a drain
 * @param {(text: string) => string} [edit] the last word on the site's text
 * @returns {Promise<Nginx>} { url, port, pid, dir, site, testCommand, reloadCommand, test(), reload(), errors(), stop() }
 */
async function startNginx ({ keepAliveSeconds, ...site }, edit = text => text) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'uc-nginx-'))
  const port = await freePort()
  const file = {
    main: path.join(dir, 'nginx.conf'),
    site: path.join(dir, 'site.conf'),
    pid: path.join(dir, 'nginx.pid'),
    log: path.join(dir, 'error.log')
  }
  fs.writeFileSync(file.main, mainConf(dir, file))
  let text = nginxConf({ listen: `127.0.0.1:${port}`, logs: dir, perSecond: 100_000, ...site })
  if (keepAliveSeconds !== undefined) text = text.replace(/keepalive_timeout \d+s;/g, `keepalive_timeout ${keepAliveSeconds}s;`)
  fs.writeFileSync(file.site, edit(text))

  const args = ['-p', dir, '-e', file.log, '-c', file.main]
  const proc = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = new Promise(resolve => { proc.on('close', resolve) })
  let said = ''
  proc.stderr.setEncoding('utf8').on('data', piece => { said += piece })
  proc.on('error', err => { said += err.message })

  const nginx = {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: proc.pid,
    dir,
    site: file.site,
    testCommand: [program, ...args, '-t'],
    reloadCommand: [program, ...args, '-s', 'reload'],
    /** Whether the configuration as it is now would do: { ok, text }. */
    test: () => run(nginx.testCommand),
    reload: () => run(nginx.reloadCommand),
    /** What it has to say, of itself and of the site. */
    errors: () => said + fs.readdirSync(dir).filter(name => /\.(error|log)$/.test(name)).sort()
      .map(name => fs.readFileSync(path.join(dir, name), 'utf8')).join(''),
    /** Its workers end with the master only when that is asked to: SIGKILL would leave them. */
    async stop () {
      proc.kill('SIGTERM')
      const late = setTimeout(() => { proc.kill('SIGKILL') }, END_MS)
      await ended
      clearTimeout(late)
      fs.rmSync(dir, { recursive: true, force: true })
    }
  }
  const limit = Date.now() + READY_MS
  while (!await answers(port)) {
    if (proc.exitCode !== null || Date.now() > limit) {
      const why = nginx.errors()
      await nginx.stop()
      throw new Error(`nginx does not start: ${why}`)
    }
    await new Promise(resolve => { setTimeout(resolve, 10) })
  }
  return nginx
}

// Everything that nginx would put under /var is in dir. As root its workers stay root: the
// folders of tests are private.
function mainConf (dir, file) {
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `${process.getuid() === 0 ? 'user root;\n' : ''}daemon off;
worker_processes 2;
pid ${file.pid};
error_log ${file.log} warn;
events { worker_connections 1024; }
http {
${temp.map(name => `    ${name}_temp_path ${path.join(dir, name)};\n`).join('')}    include ${file.site};
}
`
}

function run ([command, ...args]) {
  return new Promise(resolve => {
    execFile(command, args, { timeout: 60_000 }, (err, out, text) => { resolve({ ok: err === null, text: out + text }) })
  })
}

function answers (port) {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1')
    socket.on('connect', () => { socket.destroy(); resolve(true) })
    socket.on('error', () => resolve(false))
  })
}

async function freePort () {
  const server = net.createServer()
  await new Promise((resolve, reject) => { server.on('error', reject).listen(0, '127.0.0.1', resolve) })
  const { port } = server.address()
  await new Promise(resolve => { server.close(resolve) })
  return port
}

module.exports = { freePort, startNginx }
