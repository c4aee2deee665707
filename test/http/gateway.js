'use strict'

// nginx in front of the door, with connections that it keeps: Debian's, in a folder of its own.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { tmpdir, until } = require('../helper')

const program = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].find((file) => fs.existsSync(file)) ?? null

async function freePort () {
  const server = net.createServer()
  await new Promise((resolve, reject) => { server.on('error', reject).listen(0, '127.0.0.1', resolve) })
  const { port } = server.address()
  await new Promise((resolve) => { server.close(resolve) })
  return port
}

function answers (port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.on('connect', () => { socket.destroy(); resolve(true) })
    socket.on('error', () => resolve(false))
  })
}

function configuration (dir, port, upstream) {
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `${process.getuid() === 0 ? 'user root;\n' : ''}daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log warn;
events { worker_connections 512; }
http {
${temp.map((name) => `    ${name}_temp_path ${dir}/${name};\n`).join('')}    access_log off;
    upstream door { server unix:${upstream}; keepalive 4; }
    server {
        listen 127.0.0.1:${port};
        client_max_body_size 1m;
        location / {
            proxy_pass http://door;
            proxy_http_version 1.1;
            proxy_ignore_client_abort on;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
        }
    }
}
`
}

/** -> { to, log, reload() }; ends with the test. */
async function startGateway (t, upstream) {
  const dir = fs.mkdtempSync(path.join(tmpdir(t), 'nginx-'))
  const port = await freePort()
  const log = path.join(dir, 'error.log')
  fs.writeFileSync(path.join(dir, 'nginx.conf'), configuration(dir, port, upstream))
  const proc = spawn(program, ['-p', dir, '-e', log, '-c', path.join(dir, 'nginx.conf')], { stdio: 'ignore' })
  const ended = new Promise((resolve) => { proc.on('close', resolve) })
  t.teardown(async () => {
    proc.kill('SIGTERM')
    const late = setTimeout(() => { proc.kill('SIGKILL') }, 10_000)
    await ended
    clearTimeout(late)
  })
  await until(async () => proc.exitCode !== null || await answers(port), 'nginx answers')
  if (proc.exitCode !== null) throw new Error(`nginx does not start: ${fs.readFileSync(log, 'utf8')}`)
  return { to: { host: '127.0.0.1', port }, log }
}

module.exports = { program, startGateway }
