'use strict'

// A directory of a log, and what `npx undercroft logs` says about it.

const fs = require('node:fs')
const path = require('node:path')
const zlib = require('node:zlib')
const { spawn } = require('node:child_process')
const { root, tmpdir } = require('../helper')

const main = path.join(root, 'lib/cli/main.js')
const at = (text) => Date.parse(text)
const line = (time, level, msg, more) => `${JSON.stringify({ level, time: at(time), pid: 1, hostname: 'h', ...more, msg })}\n`

// Three days: an archive, an archive of two logs, and what is being written.
function fill (t) {
  const dir = tmpdir(t)
  const write = (name, text) => fs.writeFileSync(path.join(dir, name), text)
  write('app-2026-11-21.1.log.gz', zlib.gzipSync(line('2026-11-21T10:00:00Z', 30, 'first') + line('2026-11-21T11:00:00Z', 50, 'failed', { err: { type: 'E', message: 'm', stack: 'E: m\n    at x', code: 'E_X' } })))
  write('app-2026-11-22.2.log', line('2026-11-22T10:00:00Z', 30, 'second', { status: 500, req: { id: 7 } }))
  write('app-2026-11-22.10.log', line('2026-11-22T12:00:00Z', 40, 'third', { status: 200 }) + 'no line of ours\n')
  write('app-2026-11-23.11.log', line('2026-11-23T10:00:00Z', 20, 'fourth ä') + '{"level":30,"time":1,"msg":"without an end"')
  fs.symlinkSync('app-2026-11-23.11.log', path.join(dir, 'current'))
  fs.mkdirSync(path.join(dir, '.rings'))
  for (const other of ['app-2026-11-23.12.log.gz.part', 'notes.txt', 'app-2026-13-99.1.log', 'x.log']) write(other, 'not to be read\n')
  return dir
}

async function logs (args, { env, onStdout, how } = {}) {
  const child = spawn(process.execPath, [main, 'logs', ...args], { ...how, env: { ...process.env, NO_COLOR: '', FORCE_COLOR: '0', TZ: 'UTC', ...env } })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => { stdout += text; onStdout?.(stdout, child) })
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text })
  const [code, signal] = await new Promise((resolve) => child.on('close', (...how) => resolve(how)))
  return { stdout, stderr, code, signal, messages: stdout.split('\n').filter(Boolean).map((text) => text.startsWith('{') ? /"msg":"(.*)"/.exec(text)?.[1] : text) }
}

module.exports = { at, line, fill, logs }
