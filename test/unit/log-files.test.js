'use strict'

// The log of a directory, of processes that are told to open it anew, or that die.

const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const t = require('tap')
const { open } = require('../..')
const { filesOf, linesOf } = require('../../lib/log/read')
const { child, root, runs, tmpdir } = require('../helper')

async function read (dir) {
  const lines = []
  for (const file of filesOf(dir)) for await (const line of linesOf(file)) lines.push(JSON.parse(line))
  return lines
}

t.test('SIGHUP after the file was moved away', async (t) => {
  const dir = path.join(tmpdir(t), 'logs')
  await runs(t, async ({ undercroft, args: { dir }, require }) => {
    const fs = require('node:fs')
    const path = require('node:path')
    const store = undercroft.open({ log: { dir } })
    const { log } = store
    log.info('before')
    await log.flush()
    fs.renameSync(path.join(dir, fs.readlinkSync(path.join(dir, 'current'))), path.join(dir, 'moved'))
    const heard = new Promise((resolve) => process.once('SIGHUP', resolve))
    // A listener alone keeps no process alive.
    const alive = setInterval(() => {}, 1000)
    process.kill(process.pid, 'SIGHUP')
    await heard
    clearInterval(alive)
    log.info('after')
    await log.flush()
    await store.close()
    if (process.listenerCount('SIGHUP') !== 0) throw new Error('the listener is still there')
  }, { args: { dir } })
  t.match(fs.readFileSync(path.join(dir, 'moved'), 'utf8'), /^\{.*"msg":"before"\}\n$/)
  t.same((await read(dir)).map((line) => line.msg), ['after'])
})

t.test('a process that listens to SIGHUP itself, or does not want us to', async (t) => {
  const dir = path.join(tmpdir(t), 'logs')
  const { signal } = await child(t, async ({ undercroft, args: { dir } }) => {
    const { log } = undercroft.open({ log: { dir, reopenOnHup: false } })
    log.info('one')
    setInterval(() => {}, 1000)
    process.kill(process.pid, 'SIGHUP')
  }, { args: { dir } }).done
  t.equal(signal, 'SIGHUP', 'it means what it always did')
})

t.test('logs brings in what a killed process has left in its ring', async (t) => {
  const dir = path.join(tmpdir(t), 'logs')
  const { signal } = await child(t, async ({ undercroft, args: { dir } }) => {
    const { log } = undercroft.open({ log: { dir } })
    for (let n = 1; n <= 1000; n++) log.info({ n }, 'line')
    process.kill(process.pid, 'SIGKILL')
  }, { args: { dir } }).done
  t.equal(signal, 'SIGKILL')
  const { stdout, stderr, status } = spawnSync(process.execPath, [path.join(root, 'lib/cli/main.js'), 'logs', '--dir', dir, '--json'], { encoding: 'utf8' })
  t.equal(status, 0, stderr)
  t.same(stdout.trimEnd().split('\n').map((line) => JSON.parse(line).n), Array.from({ length: 1000 }, (_, i) => i + 1))
  t.equal((await read(dir)).length, 1000, 'once, and in the file')
})

t.test('a line after the end goes to stderr', async (t) => {
  const dir = path.join(tmpdir(t), 'logs')
  const { stderr } = await runs(t, async ({ undercroft, args: { dir } }) => {
    const store = undercroft.open({ log: { dir } })
    store.log.info('before')
    await store.close()
    store.log.child({ a: 1 }).info('too late')
    await store.log.flush()
    await store.close()
  }, { args: { dir } })
  t.match(stderr, /"a":1,"msg":"too late"\}\n/)
  t.same((await read(dir)).map((line) => line.msg), ['before'])
})

t.test('a line of pino that is too large is counted and told', async (t) => {
  const dir = path.join(tmpdir(t), 'logs')
  const store = open({ log: { dir, ringBytes: 65536, maxLineBytes: 16384, reopenOnHup: false } })
  const destination = store.log.destination()
  destination.write(`{"level":30,"msg":"${'x'.repeat(20000)}"}\n`)
  destination.write('{"level":30,"msg":"small"}\n')
  t.equal((await store.log.stats()).dropped, 1)
  await store.close()
  const lines = await read(dir)
  t.match(lines.find(({ msg }) => msg !== 'small'), { level: 40, pid: process.pid, dropped: 1, msg: /too long for the ring/ })
  t.equal(lines.length, 2)
})

t.test('a log keeps no process alive', async (t) => {
  const dir = path.join(tmpdir(t), 'logs')
  await runs(t, async ({ undercroft, args: { dir } }) => {
    undercroft.open({ log: { dir } }).log.info('and no more')
  }, { args: { dir }, name: 'it ends by itself, without close' })
  const { stdout } = spawnSync(process.execPath, [path.join(root, 'lib/cli/main.js'), 'logs', '--dir', dir], { encoding: 'utf8' })
  t.match(stdout, 'and no more')
})
