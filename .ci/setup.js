'use strict'
// Everything a fresh clone needs before it can run: Debian packages, npm
// packages, the compiled addon. Prints each command it runs and skips what is
// done; uses nothing but Node itself, since it is what installs the rest.
//
//   node .ci/setup.js [--test] [--full] [--quiet]
//
// --test adds the servers that the short test run uses: PostgreSQL and pgbouncer.
// Where they cannot be installed it says so, and their tests are skipped.
// --full (or CI=true) adds what only the whole test suite and the benchmarks
// use: clang with its tools, wrk, redis, the other runtimes, the rival libraries.
// --quiet says nothing about what is done already.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawn, spawnSync } = require('node:child_process')

const root = path.join(__dirname, '..')

class SetupError extends Error {}

// ---- Debian packages -------------------------------------------------------

// What has to be there, how to see that it is (by looking at files: asking dpkg
// would take longer than all the rest), and the package that brings it; of several
// the first that this Debian has.
const needs = [
  { package: 'build-essential', is: () => command('cc') && command('c++') && command('make') },
  { package: 'python3', is: () => command('python3') },
  { package: 'libmsgpack-dev', is: () => hasLibrary('msgpack/unpack.h', 'libmsgpackc.a', 'libmsgpack-c.a') },
  { package: 'zlib1g-dev', is: () => hasLibrary('zlib.h', 'libz.a') },
  { package: 'libzstd-dev', is: () => hasLibrary('zstd.h', 'libzstd.a') },
  { package: 'libjansson-dev', is: () => hasLibrary('jansson.h', 'libjansson.a') },
  { package: 'libnng-dev', is: () => hasLibrary('nng/nng.h', 'libnng.a') },
  { package: 'libmbedtls-dev', is: () => hasLibrary('mbedtls/ssl.h', 'libmbedtls.a') },
  { package: 'libutf8proc-dev', is: () => hasLibrary('utf8proc.h', 'libutf8proc.a') },
  { package: 'libc-ares-dev', is: () => hasLibrary('ares.h', 'libcares.a', 'libcares_static.a') },
  { package: 'libuv1-dev', is: () => hasLibrary('uv.h', 'libuv_a.a', 'libuv.a') },
  // Debian 13 has the library, Debian 12 its sources in the other.
  {
    package: ['libllhttp-dev', 'node-llhttp'],
    is: () => hasLibrary('llhttp.h', 'libllhttp.a') || fs.existsSync('/usr/share/llhttp/llhttp.c')
  }
]

// Servers that tests start for themselves, privately.
const testNeeds = [
  { package: 'postgresql', is: hasPostgres, service: 'postgresql' },
  { package: 'pgbouncer', is: () => command('pgbouncer'), service: 'pgbouncer' }
]

const fullNeeds = [
  { package: 'binutils', is: () => command('readelf') && command('objdump') && command('strip') },
  { package: 'clang', is: () => command('clang') },
  { package: 'libclang-rt-dev', is: hasFuzzer },
  { package: 'clang-format', is: () => command('clang-format') },
  { package: 'clang-tidy', is: () => command('clang-tidy') },
  { package: 'libspdlog-dev', is: () => hasLibrary('spdlog/spdlog.h', 'libspdlog.so', 'libspdlog.a') },
  { package: 'nginx-light', is: () => command('nginx'), service: 'nginx' },
  { package: 'nng-utils', is: () => command('nngcat') },
  { package: 'openssh-client', is: () => command('ssh-keygen') && command('scp') && command('ssh-agent') },
  { package: 'openssh-server', is: () => command('sshd'), service: 'ssh' },
  { package: 'pgpool2', is: () => command('pgpool'), service: 'pgpool2' },
  { package: 'redis-server', is: () => command('redis-server'), service: 'redis-server' },
  { package: 'rsync', is: () => command('rsync') },
  { package: 'wrk', is: () => command('wrk') }
]

// Daemons are in folders that not everybody's PATH has.
function command (name) {
  return [...(process.env.PATH || '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin']
    .some(dir => dir && fs.existsSync(path.join(dir, name)))
}

function hasLibrary (header, ...archives) {
  const libs = ['/usr/lib', '/usr/lib64', '/usr/local/lib', ...triplets('/usr/lib')]
  return ['/usr/include', '/usr/local/include'].some(dir => fs.existsSync(`${dir}/${header}`)) &&
    libs.some(dir => archives.some(name => fs.existsSync(`${dir}/${name}`)))
}

// Debian keeps the server's programs of each version in a folder that no PATH has.
function hasPostgres () {
  return command('initdb') ||
    list('/usr/lib/postgresql').some(version => fs.existsSync(`/usr/lib/postgresql/${version}/bin/initdb`))
}

function hasFuzzer () {
  return list('/usr/lib').filter(name => name.startsWith('llvm-')).some(llvm =>
    list(`/usr/lib/${llvm}/lib/clang`).some(version =>
      list(`/usr/lib/${llvm}/lib/clang/${version}/lib/linux`).some(name => name.startsWith('libclang_rt.fuzzer'))))
}

function triplets (dir) {
  return list(dir).filter(name => name.includes('-linux-')).map(name => `${dir}/${name}`)
}

function list (dir) {
  try {
    return fs.readdirSync(dir)
  } catch {
    return []
  }
}

function packageOf ({ package: name }) {
  const names = [name].flat()
  return names.length === 1
    ? name
    : names.find(name => spawnSync('apt-cache', ['show', name], { stdio: 'ignore' }).status === 0) ?? names.at(-1)
}

/** Installs what is missing; what only tests need may stay away, unless they are all to run. */
function debianPackages ({ full, test, say }) {
  const lacking = needs.filter(need => !need.is())
  const wanted = [...(full || test ? testNeeds : []), ...(full ? fullNeeds : [])].filter(need => !need.is())
  if (lacking.length + wanted.length === 0) {
    say('system packages: all there')
    return
  }
  if (full) return install([...lacking, ...wanted])
  if (lacking.length > 0) install(lacking)
  if (wanted.length === 0) return
  try {
    install(wanted)
  } catch (err) {
    if (!(err instanceof SetupError)) throw err
    console.log(`\n${err.message}\nuntil then the tests that need them are skipped`)
  }
}

function install (lacking) {
  const missing = lacking.map(packageOf)
  if (!command('apt-get')) {
    throw new SetupError(`this machine lacks what the Debian packages ${missing.join(', ')} bring, ` +
      'and has no apt-get to install them: please install their counterparts, then run this again')
  }
  const isRoot = process.getuid() === 0
  if (!isRoot && !command('sudo')) {
    throw new SetupError(`the Debian packages ${missing.join(', ')} have to be installed, ` +
      'but you are not root and there is no sudo: please ask an administrator for\n' +
      `  apt-get install ${missing.join(' ')}\nthen run this again`)
  }
  // --no-remove: to set up a test suite is no reason to take a package away.
  const sudo = isRoot ? [] : ['sudo']
  const apt = () => [...sudo, 'apt-get', 'install', '-y', '--no-install-recommends', '--no-remove', ...lacking.map(packageOf)]
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const wanted = () => {
    if (run(apt(), { env, optional: true })) return
    // A fresh machine or container has no package lists yet.
    run([...sudo, 'apt-get', 'update'], { env })
    run(apt(), { env })
  }
  const quietly = lacking.some(need => need.package === 'postgresql') ? () => withoutCluster(sudo, wanted) : wanted
  withoutServices(sudo, lacking.flatMap(need => need.service ?? []), quietly)
}

/**
 * The tests want the programs, each with its own configuration: a developer's
 * machine is not to listen on port 22 or 80 because of them. What a package
 * brings is neither started (policy-rc.d, see invoke-rc.d(8)) nor at the next
 * start of the machine. Services that were there before are not touched.
 */
function withoutServices (sudo, services, install) {
  const policy = '/usr/sbin/policy-rc.d'
  const isOurs = services.length > 0 && fs.existsSync('/run/systemd/system') && !fs.existsSync(policy)
  if (!isOurs) return install()
  withFile(sudo, { file: policy, mode: '755', text: '#!/bin/sh\nexit 101\n' }, install, () => {
    run([...sudo, 'systemctl', 'disable', ...services], { optional: true })
  })
}

/**
 * Debian's PostgreSQL makes a cluster when it is first installed, and starts it on
 * port 5432. The tests make theirs, so for the time of the installation this says no:
 * createcluster.conf(5) includes the folder.
 */
function withoutCluster (sudo, install) {
  const file = '/etc/postgresql-common/createcluster.d/undercroft-setup.conf'
  withFile(sudo, { file, mode: '644', text: 'create_main_cluster = false\n' }, install, () => {})
}

/** Runs use() while the file is there, and then() once it is gone again. */
function withFile (sudo, { file, mode, text }, use, then) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'undercroft-setup-'))
  const own = path.join(dir, path.basename(file))
  fs.writeFileSync(own, text)
  // Ctrl-C ends the command that runs, and not this one before it has cleaned up:
  // left behind, the file would change what other installations do.
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  const hold = () => {}
  for (const signal of signals) process.on(signal, hold)
  try {
    run([...sudo, 'install', '-D', '-m', mode, own, file])
    use()
  } finally {
    fs.rmSync(dir, { recursive: true })
    run([...sudo, 'rm', '-f', file])
    then()
    for (const signal of signals) process.off(signal, hold)
  }
}

// ---- npm packages ----------------------------------------------------------

// npm keeps a copy of what it installed: as long as it says the same as our
// lock file there is nothing to do.
function isInstalled (dir) {
  const wanted = packages(path.join(dir, 'package-lock.json'))
  const there = packages(path.join(dir, 'node_modules/.package-lock.json'))
  if (!wanted || !there) return false
  return Object.entries(wanted).every(([name, entry]) =>
    name === '' || there[name]?.version === entry.version ||
    (entry.optional && !there[name] && !fits(entry)))
}

// Whether npm would install this package, made for some platforms only, here.
function fits ({ os, cpu }) {
  const has = (wanted, value) => !wanted || [wanted].flat()
    .some(name => name === value || (name[0] === '!' && name !== `!${value}`))
  return has(os, process.platform) && has(cpu, process.arch)
}

function packages (file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')).packages
  } catch {
    return null
  }
}

// No install script of a package gets to run. -> a promise when there is something to do
function npmPackages (dir, { say }) {
  const name = path.relative(root, dir)
  if (isInstalled(dir)) {
    say(`npm packages${name && ` of ${name}`}: all there`)
    return
  }
  return beside(['npm', 'ci', '--ignore-scripts', ...(name ? ['--prefix', name] : [])])
}

// What the benchmark compiles for itself: it knows what is done already.
function rivals ({ say }) {
  const setup = path.join(root, 'bench/lib/setup.js')
  if (!fs.existsSync(setup)) return
  if (require(setup).isBuilt()) say('rivals of the benchmark: built')
  else run(['node', 'bench', '--setup'])
}

// ----------------------------------------------------------------------------

// Runs a command and shows it. -> true; false when it failed and is optional
function run ([file, ...args], { env = process.env, optional = false } = {}) {
  console.log(`$ ${[file, ...args].join(' ')}`)
  const { status, signal, error } = spawnSync(file, args, { cwd: root, env, stdio: 'inherit' })
  if (status === 0) return true
  if (signal) throw new SetupError(`${file} ${args[0]} was interrupted (${signal})`)
  if (optional) return false
  throw new SetupError(`${file} ${args[0]} failed (${error ? error.message : `exit code ${status}`})`)
}

// The same, while others run.
function beside ([file, ...args]) {
  console.log(`$ ${[file, ...args].join(' ')}`)
  return new Promise((resolve, reject) => {
    const fail = why => reject(new SetupError(`${[file, ...args].join(' ')} failed (${why})`))
    const child = spawn(file, args, { cwd: root, stdio: 'inherit' })
    child.on('error', err => fail(err.message))
    child.on('close', (code, signal) => code === 0 ? resolve() : fail(signal ?? `exit code ${code}`))
  })
}

async function setup (args) {
  for (const arg of args) {
    if (!['--test', '--full', '--quiet'].includes(arg)) throw new SetupError(`unknown option ${arg}`)
  }
  const [major] = process.versions.node.split('.')
  if (Number(major) < 20) throw new SetupError(`Node 20 or newer is needed, this is ${process.version}`)
  const full = process.env.CI === 'true' || args.includes('--full')
  const say = args.includes('--quiet') ? () => {} : text => console.log(text)

  debianPackages({ full, test: args.includes('--test'), say })
  await npmPackages(root, { say })
  const others = (full ? ['test/runtimes', 'bench'] : []).map(dir => path.join(root, dir))
    .filter(dir => fs.existsSync(path.join(dir, 'package-lock.json')))
  const { build, settings } = require('./build')
  // A compiler uses processors, npm the network.
  const [built] = await Promise.all([build(settings([])), ...others.map(dir => npmPackages(dir, { say }))])
  if (!built) say('build/Release/undercroft.node: up to date')
  // A test run compiles these itself, beside tests that wait.
  if (args.includes('--full')) rivals({ say })
}

setup(process.argv.slice(2)).catch(err => {
  const known = err instanceof SetupError || err.constructor.name === 'BuildError'
  console.error(`\nset-up: ${known ? err.message : err.stack}`)
  process.exitCode = 1
})
