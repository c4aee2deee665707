'use strict'
// What a user gets: the tarball, installed in an empty folder on a machine that
// has nothing but a runtime, and the way out where its binary does not fit.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const t = require('tap')
const { execFile, execFileSync, spawn } = require('node:child_process')
const { once } = require('node:events')
const binary = require('../../.ci/binary')
const { runtimes } = require('../runtimes')
const { tapCounter } = require('../tap-count')

const root = path.join(__dirname, '../..')
const pkg = require('../../package.json')
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'undercroft-pack-'))
const npm = path.join(path.dirname(fs.realpathSync(which('npm'))), '../bin/npm-cli.js')
const npx = path.join(path.dirname(npm), 'npx-cli.js')

t.teardown(() => fs.rmSync(dir, { recursive: true, force: true }))
t.setTimeout(1_500_000)

function which (name) {
  return process.env.PATH.split(path.delimiter).map(dir => path.join(dir, name)).find(fs.existsSync)
}

// A PATH that holds these commands and no others.
function bareEnv (...commands) {
  const bin = fs.mkdtempSync(path.join(dir, 'bin-'))
  for (const name of ['node', 'sh', 'env', ...commands]) fs.symlinkSync(which(name), path.join(bin, name))
  return { PATH: bin, HOME: dir, npm_config_cache: path.join(dir, 'cache'), npm_config_update_notifier: 'false' }
}

// The machine's PATH, without what an `npm test` around this one has set.
function fullEnv (extra) {
  const env = Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_OPTIONS$|^UNDERCROFT_/.test(name))
  return { ...Object.fromEntries(env), ...extra }
}

// -> { code, out, err }; never rejects
function run (file, args, options = {}) {
  return new Promise(resolve => {
    execFile(file, args, { cwd: root, maxBuffer: 1 << 26, timeout: 900_000, ...options }, (error, out, err) => {
      resolve({ code: error ? error.code ?? 1 : 0, out, err })
    })
  })
}

function succeeds (t, name, { code, out, err }) {
  if (code !== 0) t.comment(`${out}\n${err}`.split('\n').slice(-40).join('\n'))
  t.equal(code, 0, name)
}

function folder (name) {
  const place = path.join(dir, name)
  fs.mkdirSync(place)
  fs.writeFileSync(path.join(place, 'package.json'), '{ "private": true }\n')
  return place
}

const work = `
  const store = open('app.db')
  await store.ready
  const { db } = store
  await db.exec('create table if not exists user(id integer primary key, name text, age int)')
  const run = await db.run('insert into user(name, age) values (?, ?)', ['grüße', 4])
  const row = await db.get('select * from user where id = ?', [run.lastInsertRowid])
  await db.many('insert into user(name, age) values (?, ?)', [['a', 1], ['b', 2]])
  const count = db.sync.get('select count(*) as n from user').n
  await store.close()
  console.log(JSON.stringify({ row, count }))
`
const scripts = {
  'app.js': `const { open } = require('undercroft')\n;(async () => {${work}})()`,
  'app.mjs': `import { open } from 'undercroft'\n${work}`,
  'lacking.js': `const { open, UndercroftError } = require('undercroft')
    const attempt = async () => { await open('app.db').ready }
    attempt().then(() => console.log('ready'), err => {
      console.log(JSON.stringify({ code: err.code, message: err.message, ours: err instanceof UndercroftError }))
    })`
}

// Where a service says that it listens.
function portOf (service) {
  return new Promise((resolve, reject) => {
    let said = ''
    service.stdout.setEncoding('utf8').on('data', piece => {
      const [, port] = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(said += piece) ?? []
      if (port) resolve(port)
    })
    service.once('close', () => reject(new Error(`it does not listen: ${said}`)))
  })
}

async function works (t, place, env, runtime, name) {
  fs.rmSync(path.join(place, 'app.db'), { force: true })
  const result = await run(runtime.exec, [name], { cwd: place, env })
  succeeds(t, `${name} on ${runtime.name} ${runtime.version}`, result)
  if (result.code !== 0) return
  t.same(JSON.parse(result.out), { row: { id: 1, name: 'grüße', age: 4 }, count: 3 }, 'its rows')
}

t.test('the tarball', async t => {
  const packed = await run(process.execPath, [npm, 'pack', '--json', `--pack-destination=${dir}`], { env: fullEnv() })
  succeeds(t, 'npm pack', packed)
  if (packed.code !== 0) return t.bailout('there is no tarball to test')
  const [report] = Object.values(JSON.parse(packed.out))
  const tarball = path.join(dir, report.filename)
  const names = report.files.map(file => file.path)
  const installed = folder('user')
  const module = path.join(installed, 'node_modules/undercroft')

  t.test('holds what it needs and nothing else', async t => {
    for (const name of ['index.js', 'index.mjs', 'index.d.mts', 'index.d.ts', 'lib/cli/main.js', 'LICENSE', 'README.md',
      'THIRD-PARTY.md', 'CHANGELOG.md', 'csrc/vendor/undercroft.gyp', 'csrc/vendor/sqlite3/sqlite3.c', 'csrc/vendor/node-addon-api/napi.h',
      'csrc/vendor/node-addon-api/LICENSE.md', 'prebuilds/linux-x64/undercroft.node', 'prebuilds/linux-x64/undercroftd', 'prebuilds/linux-x64/build.json',
      'csrc/daemon/undercroft.service', 'csrc/WIRE.md', 'docs/api.md', 'docs/wire.md', 'deploy/index.js', 'deploy/README.md', 'deploy/agent/main.js', 'lib/types/deploy.d.ts',
      'examples/deployed/server.js', 'examples/deployed/app.js', 'examples/deployed/migrations/0001_orders.sql']) {
      t.ok(names.includes(name), name)
    }
    t.same(names.filter(name => /^(test|bench|examples\/(?!deployed\/)|\.|build|node_modules)|\.db/.test(name)), [], 'nothing of the workshop')
    t.ok(report.size < 10 << 20, `at most 10 MB: ${report.size}`)
    for (const place of ['prebuilds', 'csrc/vendor']) {
      t.notOk(fs.existsSync(path.join(root, place)), `${place} is gone from the repository again`)
    }
  })

  t.test('installs without compiler, network and install script', async t => {
    const result = await run(process.execPath, [npm, 'install', '--offline', tarball], { cwd: installed, env: bareEnv() })
    succeeds(t, 'npm install', result)
    const there = JSON.parse(fs.readFileSync(path.join(module, 'package.json')))
    t.same(there.dependencies, undefined, 'no dependencies')
    t.same(Object.keys(there.scripts).filter(name => /install/.test(name)), [], 'no install script')
    // As a deployment does it; npm then knows of a package what the lock file keeps, which is not all.
    succeeds(t, 'npm ci', await run(process.execPath, [npm, 'ci', '--offline', '--omit=dev'], { cwd: installed, env: bareEnv() }))
    for (const [name, text] of Object.entries(scripts)) fs.writeFileSync(path.join(installed, name), text)
  })

  t.test('its binary asks for nothing but the glibc it promises', async t => {
    const file = path.join(module, 'prebuilds/linux-x64/undercroft.node')
    const facts = binary.inspect(file)
    t.same(binary.faults(facts, pkg.undercroft), [])
    t.match(fs.readFileSync(path.join(module, 'README.md'), 'utf8'), `glibc ${pkg.undercroft.glibc}`, 'the README names it')
    const build = JSON.parse(fs.readFileSync(path.join(path.dirname(file), 'build.json')))
    t.match(fs.readFileSync(path.join(module, 'THIRD-PARTY.md'), 'utf8'), `SQLite | ${build.sqlite}`, 'the notices name its SQLite')
  })

  t.test('its daemon asks for nothing, not even libc', async t => {
    const file = path.join(module, 'prebuilds/linux-x64/undercroftd')
    t.same(binary.daemonFaults(file), [])
    t.ok(fs.statSync(file).mode & 0o100, 'it can be executed')
    const { code, out } = await run(file, ['--version'], { env: bareEnv() })
    t.equal(code, 0)
    t.match(out, `undercroftd/${pkg.version}`)
    const notices = fs.readFileSync(path.join(module, 'THIRD-PARTY.md'), 'utf8')
    const build = JSON.parse(fs.readFileSync(path.join(path.dirname(file), 'build.json')))
    t.match(notices, `nng | ${build.nng}`, 'the notices name its nng')
    t.match(notices, `libuv | ${build.libuv}`, 'its libuv')
    t.match(notices, `llhttp | ${build.llhttp}`, 'its llhttp')
    t.match(notices, `Mbed TLS | ${build.mbedtls.replace(/\.\d+$/, '')}`, 'its Mbed TLS, whose last number security updates move')
    t.match(notices, `utf8proc | ${build.utf8proc}`, 'its utf8proc')
    t.match(notices, `c-ares | ${build['c-ares']}`, 'and its c-ares')
  })

  for (const runtime of runtimes()) {
    t.test(`works on ${runtime.name}`, { skip: process.env.CI !== 'true' && runtime.skip }, async t => {
      t.equal(runtime.skip, undefined, 'the runtime is there')
      for (const name of ['app.js', 'app.mjs']) await works(t, installed, bareEnv(), runtime, name)
    })
  }

  t.test('a deployment begins with what it writes, and says what is lacking', async t => {
    const place = folder('service')
    fs.cpSync(path.join(installed, 'node_modules'), path.join(place, 'node_modules'), { recursive: true, verbatimSymlinks: true })
    fs.writeFileSync(path.join(place, 'server.js'), '')
    const tool = (...args) => run(process.execPath, [npx, '--no-install', 'undercroft', 'deploy', ...args], { cwd: place, env: bareEnv() })
    const init = await tool('init', '--host', 'deploy@127.0.0.1:1')
    succeeds(t, 'npx undercroft deploy init', init)
    t.match(init.out, /wrote deploy\.config\.js\nwrote deploy\/nginx\.conf\n/)
    t.equal(JSON.parse(fs.readFileSync(path.join(place, 'package.json'))).scripts['deploy:plan'], 'undercroft deploy plan')
    const plan = await run(process.execPath, [npm, 'run', '--silent', 'deploy:plan'], { cwd: place, env: bareEnv() })
    t.equal(plan.code, 3)
    t.match(plan.err, /the package ssh2 is not installed .*\n.*npm install --save-dev ssh2/)
    const typed = await run(process.execPath, ['-e', "import('undercroft/deploy').then(({ defineConfig }) => console.log(defineConfig({ app: 'x' }).app))"], { cwd: place, env: bareEnv() })
    t.equal(typed.out, 'x\n')
  })

  for (const runtime of runtimes().filter(({ name }) => ['node', 'bun'].includes(name))) {
    t.test(`a new service on ${runtime.name} answers at once, and its test is green`, { skip: process.env.CI !== 'true' && runtime.skip }, async t => {
      const env = { ...bareEnv(), DB: ':memory:', PORT: '0' }
      if (runtime.name === 'bun') fs.symlinkSync(runtime.exec, path.join(env.PATH, 'bun'))
      const shop = path.join(dir, `shop-${runtime.name}`)
      const options = runtime.name === 'bun' ? ['--bun'] : []
      succeeds(t, 'npx undercroft new', await run(process.execPath, [npx, '--no-install', 'undercroft', 'new', shop, ...options], { cwd: installed, env }))
      succeeds(t, 'npm install', await run(process.execPath, [npm, 'install', '--offline', tarball], { cwd: shop, env }))
      const service = spawn(process.execPath, [npm, 'start'], { cwd: shop, env, detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
      // Of npm the shell and the service: all are in its group.
      const stop = () => { try { process.kill(-service.pid) } catch {} }
      t.teardown(stop)
      const port = await portOf(service)
      const answer = await fetch(`http://127.0.0.1:${port}/product/list?limit=1`)
      t.match(await answer.json(), { rows: [{ name: 'lamp' }], next: { id: 1 } })
      const over = once(service, 'close')
      stop()
      await over
      succeeds(t, 'npm test', await run(process.execPath, [npm, 'test'], { cwd: shop, env }))
    })
  }

  t.test('the packed binary passes the contract', async t => {
    const file = path.join(module, 'prebuilds/linux-x64/undercroft.node')
    const suite = path.join(root, 'test/contract/addon.test.js')
    const result = await run(process.execPath, [suite], { env: fullEnv({ UNDERCROFT_ADDON: file }) })
    const tap = tapCounter()
    tap.write(result.out)
    const { passed, failures } = tap.end()
    for (const text of failures.slice(0, 10)) t.comment(text)
    t.equal(failures.length, 0, `none of ${passed + failures.length} assertions fails`)
  })

  t.test('where there is no binary', async t => {
    fs.rmSync(path.join(module, 'prebuilds'), { recursive: true })
    const tool = (args, env) => run(process.execPath, [npx, '--no-install', 'undercroft', ...args], { cwd: installed, env })

    t.test('it loads, and opening a file says what to do', async t => {
      for (const runtime of runtimes().filter(runtime => !runtime.skip)) {
        const result = await run(runtime.exec, ['lacking.js'], { cwd: installed, env: bareEnv() })
        succeeds(t, `on ${runtime.name}`, result)
        const { code, message, ours } = JSON.parse(result.out)
        t.equal(code, 'UC_NO_ADDON')
        t.equal(ours, true, 'an UndercroftError')
        t.match(message, /npx undercroft build/)
      }
    })

    t.test('the command says what the machine lacks', async t => {
      const noHeaders = await tool(['build'], fullEnv({ UNDERCROFT_SYSROOT: path.join(dir, 'nowhere') }))
      t.equal(noHeaders.code, 3)
      t.match(noHeaders.err, /libmsgpack-dev/)
      t.match(noHeaders.err, /zlib1g-dev/)
      t.match(noHeaders.err, /libzstd-dev/)
      t.match(noHeaders.err, /libjansson-dev/)
      t.match(noHeaders.err, /libmbedtls-dev/)
      t.match(noHeaders.err, /libutf8proc-dev/)
      t.match(noHeaders.err, /libc-ares-dev/)
      t.notMatch(noHeaders.err, /build-essential|python3/, 'and only that')
      const noCompiler = await tool(['build'], bareEnv())
      t.equal(noCompiler.code, 3)
      t.match(noCompiler.err, /build-essential/)
      t.match(noCompiler.err, /python3/)
      t.notOk(fs.existsSync(path.join(module, 'build')), 'nothing was begun')
    })

    t.test('the command builds it', async t => {
      // That all of it is there and compiles is the question. To optimize it once more takes two minutes.
      const plain = '-O0 -U_FORTIFY_SOURCE'
      const built = await tool(['build', '--json'], fullEnv({ CFLAGS: plain, CXXFLAGS: plain }))
      succeeds(t, 'npx undercroft build', built)
      if (built.code !== 0) return
      t.equal(fs.realpathSync(JSON.parse(built.out).file), fs.realpathSync(path.join(module, 'build/Release/undercroft.node')))
      await works(t, installed, bareEnv(), runtimes()[0], 'app.js')
    })
  })
})

t.test('the command line', async t => {
  const main = (...args) => run(process.execPath, ['lib/cli/main.js', ...args])
  const version = await main('--version')
  t.equal(version.out.trim(), pkg.version)
  const none = await main()
  t.equal(none.code, 2)
  t.match(none.err, /usage: npx undercroft/)
  const help = await main('help', 'build')
  t.equal(help.code, 0)
  t.match(help.out, /libmsgpack-dev\s+zlib1g-dev libzstd-dev libjansson-dev libmbedtls-dev\s+libutf8proc-dev libc-ares-dev/)
  const wrong = await main('biuld')
  t.equal(wrong.code, 2)
  t.match(wrong.err, /did you mean 'build'/)
  const option = await main('build', '--fast')
  t.equal(option.code, 2)
  t.match(option.err, /--fast/)
  t.doesNotThrow(() => execFileSync(process.execPath, [path.join(root, 'lib/cli/main.js'), '-v']))
})
