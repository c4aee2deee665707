'use strict'
// `undercroft serve` as it is started by hand: whoever started it and is ended takes the daemon with
// it, on runtimes that become the daemon and on those that stay beside it.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { spawn } = require('node:child_process')
const { runtimes } = require('../runtimes')
const helper = require('../helper')

t.setTimeout(helper.fileTimeoutMs)

const npm = path.dirname(fs.realpathSync(process.env.PATH.split(path.delimiter).map(dir => path.join(dir, 'npm')).find(fs.existsSync)))
const here = runtimes().filter(({ skip, name }) => !skip && name !== 'node26')

// A project that has this package, where `node` is the runtime. -> { dir, socket, env, serve }
function project (t, runtime) {
  const dir = helper.tmpdir(t)
  const bin = path.join(dir, 'bin')
  fs.mkdirSync(path.join(dir, 'node_modules/.bin'), { recursive: true })
  fs.mkdirSync(bin)
  fs.symlinkSync(helper.root, path.join(dir, 'node_modules/undercroft'))
  fs.symlinkSync('../undercroft/lib/cli/main.js', path.join(dir, 'node_modules/.bin/undercroft'))
  fs.symlinkSync(runtime.exec, path.join(bin, 'node'))
  // npm itself runs on the machine's Node, whatever the runtime.
  for (const name of ['npm', 'npx']) {
    fs.writeFileSync(path.join(bin, name), `#!/bin/sh\nexec '${process.execPath}' '${path.join(npm, `${name}-cli.js`)}' "$@"\n`, { mode: 0o755 })
  }
  const socket = path.join(dir, 's')
  const serve = `undercroft serve --listen ipc://${socket} --db a.db`
  fs.writeFileSync(path.join(dir, 'package.json'), JSON.stringify({ private: true, scripts: { serve, two: `npx ${serve}; true` } }))
  const env = Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_OPTIONS$|^UNDERCROFT_/.test(name))
  return { dir, socket, serve, env: { ...Object.fromEntries(env), PATH: `${bin}:${process.env.PATH}`, HOME: dir, npm_config_update_notifier: 'false' } }
}

// Starts it, and waits for the daemon. -> { proc, pid of the daemon, stderr() }
async function start (t, { dir, env }, [file, ...args], options = {}) {
  const proc = spawn(file, args, { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'], ...options })
  let stderr = ''
  proc.stdout.resume()
  proc.stderr.setEncoding('utf8').on('data', text => { stderr += text })
  const pid = () => Number(/serving on \S+ \(pid (\d+)\)/.exec(stderr)?.[1])
  t.teardown(() => {
    proc.kill('SIGKILL')
    if (pid() && alive(pid())) process.kill(pid(), 'SIGKILL')
  })
  await helper.until(() => pid() || proc.exitCode !== null, `it serves\n${stderr}`, 60_000)
  if (!pid()) throw new Error(`it ended: ${stderr}`)
  return { proc, pid: pid(), stderr: () => stderr }
}

function alive (pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

// The runtimes and npm, the daemon apart, that still know of the socket.
function left (socket) {
  return fs.readdirSync('/proc').filter(name => /^\d+$/.test(name)).filter(name => {
    try {
      return fs.readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`ipc://${socket}`)
    } catch {
      return false
    }
  })
}

const node = "require('node:child_process').spawn('node_modules/.bin/undercroft', process.argv.slice(1), { stdio: 'inherit' })"
const ways = {
  'npx gets SIGTERM': ({ serve }) => [['npx', ...serve.split(' ')], 'SIGTERM'],
  'npm run gets SIGTERM': () => [['npm', 'run', 'serve'], 'SIGTERM'],
  'npm run of an npx gets SIGTERM': () => [['npm', 'run', 'two'], 'SIGTERM'],
  'sh -c gets SIGTERM': ({ serve }) => [['sh', '-c', `npx ${serve}; true`], 'SIGTERM'],
  'npm run is killed': () => [['npm', 'run', 'serve'], 'SIGKILL'],
  'a process that started it is killed': ({ serve }) => [[process.execPath, '-e', node, '--', ...serve.split(' ').slice(1)], 'SIGKILL']
}

for (const runtime of here) {
  for (const [name, way] of Object.entries(ways)) {
    t.test(`${runtime.name}: ${name}, and the daemon ends`, async t => {
      const place = project(t, runtime)
      const [command, signal] = way(place)
      const { proc, pid, stderr } = await start(t, place, command)
      proc.kill(signal)
      await helper.until(() => !alive(pid), `the daemon ends\n${stderr()}`, 60_000)
      t.notOk(fs.existsSync(place.socket), 'in good order')
      // What it wrote last may still be in the pipe.
      await helper.until(() => stderr().includes('shutting down'), 'and says so', 60_000)
      await helper.until(() => left(place.socket).length === 0, `nobody stays:\n${left(place.socket)}`, 60_000)
    })
  }

  t.test(`${runtime.name}: SIGTERM for the command itself, and its exit code`, async t => {
    const place = project(t, runtime)
    const { proc, pid } = await start(t, place, ['node_modules/.bin/undercroft', ...place.serve.split(' ').slice(1)])
    t.equal(pid === proc.pid, typeof process.execve === 'function' || runtime.name !== 'node', 'it becomes the daemon where the runtime can')
    proc.kill('SIGTERM')
    await helper.until(() => proc.exitCode !== null || proc.signalCode !== null, 'it ends', 60_000)
    t.same([proc.exitCode, proc.signalCode], [0, null])
    t.notOk(fs.existsSync(place.socket))
  })

  t.test(`${runtime.name}: what has a session of its own stays`, async t => {
    const place = project(t, runtime)
    const detached = node.replace("'inherit'", "'inherit', detached: true")
    const { proc, pid } = await start(t, place, [process.execPath, '-e', detached, '--', ...place.serve.split(' ').slice(1)])
    proc.kill('SIGKILL')
    await helper.until(() => proc.signalCode !== null, 'who started it is gone', 60_000)
    const store = require('../..').open(`ipc://${place.socket}`)
    t.same(await store.db.get('select 1 as one'), { one: 1 })
    await store.close()
    process.kill(pid, 'SIGTERM')
    await helper.until(() => !fs.existsSync(place.socket), 'a signal for it ends it', 60_000)
  })
}

t.test('--end-with: one that is gone already, and what is no process', async t => {
  const { launch } = require('./raw')
  const dir = helper.tmpdir(t)
  const args = ['--listen', `ipc://${dir}/s`, '--db', `${dir}/a.db`]
  const gone = spawn(process.execPath, ['-e', ''])
  await new Promise(resolve => { gone.once('exit', resolve) })
  const late = await launch(t, [...args, '--end-with', String(gone.pid)]).done
  t.equal(late.code, 0)
  t.match(late.stderr, new RegExp(`process ${gone.pid} has ended`))
  for (const text of ['', '0', '-1', 'me', '12x', '99999999999']) {
    const { code, stderr } = await launch(t, [...args, `--end-with=${text}`]).done
    t.equal(code, 2, text)
    t.match(stderr, /expected the number of a process/)
  }
})
