'use strict'

// Builds bench/c/limit.c with the SQLite source and options of our own build.
// The result is kept until the source, the options or SQLite change.

const fs = require('node:fs')
const path = require('node:path')
const { execFileSync, spawnSync } = require('node:child_process')

const ROOT = path.join(__dirname, '../..')
const OUT = path.join(__dirname, '../build')
const PROGRAM = path.join(OUT, 'limit')
const STAMP = path.join(OUT, 'limit.json')
const FLAGS = ['-O3', '-std=gnu11', '-fno-semantic-interposition']

function find (...args) {
  return execFileSync(process.execPath, ['csrc/find-lib.js', ...args], {
    cwd: ROOT, encoding: 'utf8'
  }).trim()
}

function recipe () {
  const dir = path.join(ROOT, find('sqlite', '--dir'))
  return {
    dir,
    defines: find('sqlite', '--defines').split('\n'),
    flags: FLAGS,
    sources: [path.join(__dirname, 'limit.c'), path.join(dir, 'sqlite3.c')]
      .map(file => [path.relative(ROOT, file), fs.statSync(file).mtimeMs])
  }
}

/** The path of the program if it is built and up to date, else null. */
function built () {
  try {
    return fs.readFileSync(STAMP, 'utf8') === JSON.stringify(recipe()) &&
      fs.existsSync(PROGRAM)
      ? PROGRAM
      : null
  } catch {
    return null
  }
}

// SQLite as the addon has it, where that has been built.
const SHIPPED = path.join(ROOT, 'build/Release/sqlite3.a')

function compile (say, args) {
  const cc = process.env.CC || 'cc'
  say(`${cc} ${args.map(arg => path.isAbsolute(arg) ? path.relative(ROOT, arg) : arg).join(' ')}`)
  const { status, error } = spawnSync(cc, args, { stdio: 'inherit' })
  if (error || status !== 0) throw new Error(`'${cc}' failed`)
}

/** SQLite's source with our options and `more` of them, as the object file `out`; about a minute. */
function compileSqlite (say, out, more = []) {
  const { dir, defines, flags } = recipe()
  compile(say, [...flags, '-w', ...[...defines, ...more].map(define => `-D${define}`),
    '-c', path.join(dir, 'sqlite3.c'), '-o', out])
}

/**
 * Builds what is out of date; about a minute for SQLite. Returns the path.
 * `plain`, for a smoke test: with the SQLite that is built already.
 */
function build (say, { plain = false } = {}) {
  if (built()) return PROGRAM
  const { dir, defines, flags } = recipe()
  fs.mkdirSync(OUT, { recursive: true })
  const isShipped = plain && fs.existsSync(SHIPPED)
  const object = isShipped ? SHIPPED : path.join(OUT, 'sqlite3.o')
  const { dir: wasDir, defines: wasDefines } = stampOr({})
  if (!isShipped && (!fs.existsSync(object) || wasDir !== dir || String(wasDefines) !== String(defines))) {
    compileSqlite(say, object)
  }
  compile(say, [...flags, '-Wall', '-Wextra', '-I', dir, path.join(__dirname, 'limit.c'), object,
    '-o', PROGRAM, '-lm', '-lpthread', '-ldl'])
  fs.writeFileSync(STAMP, JSON.stringify(recipe()))
  return PROGRAM
}

function stampOr (otherwise) {
  try {
    return JSON.parse(fs.readFileSync(STAMP, 'utf8'))
  } catch {
    return otherwise
  }
}

/** Builds bench/c/decode.c, a matter of a second. Returns the path. */
function buildDecode () {
  const program = path.join(OUT, 'decode')
  fs.mkdirSync(OUT, { recursive: true })
  execFileSync(process.env.CC || 'cc', [
    ...FLAGS, '-Wall', '-Wextra', '-Icsrc/core', ...find('msgpack', '--cflags').split('\n').filter(Boolean),
    'bench/c/decode.c', 'csrc/core/wire/reader.c', find('msgpack', '--libs'), '-o', program
  ], { cwd: ROOT, stdio: 'inherit' })
  return program
}

/** Builds bench/c/echo.c, likewise; null without a compiler. */
function buildEcho () {
  const program = path.join(OUT, 'echo')
  fs.mkdirSync(OUT, { recursive: true })
  const { status } = spawnSync(process.env.CC || 'cc', [
    ...FLAGS, '-Wall', '-Wextra', path.join(__dirname, 'echo.c'), '-o', program
  ], { stdio: ['ignore', 'ignore', 'inherit'] })
  return status === 0 ? program : null
}

/** Builds bench/c/pg.c, likewise. */
function buildPg () {
  const program = path.join(OUT, 'pg')
  fs.mkdirSync(OUT, { recursive: true })
  const { status } = spawnSync(process.env.CC || 'cc', [
    ...FLAGS, '-Wall', '-Wextra', path.join(__dirname, 'pg.c'), '-o', program
  ], { stdio: ['ignore', 'ignore', 'inherit'] })
  return status === 0 ? program : null
}

/** Builds bench/c/hits.c with the store of the cache; null without a compiler. */
function buildHits () {
  const program = path.join(OUT, 'hits')
  const core = path.join(ROOT, 'csrc/core')
  const store = ['blocks', 'domain', 'entry', 'index', 'policy', 'shadow', 'store', 'sweep', 'wheel']
  fs.mkdirSync(OUT, { recursive: true })
  const { status } = spawnSync(process.env.CC || 'cc', [
    ...FLAGS, '-Wall', '-Wextra', '-I', core, path.join(__dirname, 'hits.c'),
    ...store.map(name => path.join(core, 'cache', `${name}.c`)),
    ...['mem', 'buf'].map(name => path.join(core, 'common', `${name}.c`)), '-o', program
  ], { stdio: ['ignore', 'ignore', 'inherit'] })
  return status === 0 ? program : null
}

/**
 * Builds bench/c/spdlog.cc with the spdlog of the system, about ten seconds, when
 * it is out of date; null without a compiler or without spdlog. `plain`: without
 * optimizing, for a smoke test.
 */
function buildSpdlog ({ plain = false } = {}) {
  const program = path.join(OUT, 'spdlog')
  const source = path.join(__dirname, 'spdlog.cc')
  const age = file => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (age(program) > age(source)) return program
  fs.mkdirSync(OUT, { recursive: true })
  const { status } = spawnSync(process.env.CXX || 'c++', [
    plain ? '-O0' : '-O3', '-std=c++17', '-Wall', '-Wextra', '-DSPDLOG_COMPILED_LIB', '-DSPDLOG_FMT_EXTERNAL',
    source, '-o', program, '-lspdlog', '-lfmt', '-lpthread'
  ], { stdio: ['ignore', 'ignore', 'inherit'] })
  return status === 0 ? program : null
}

module.exports = { build, built, recipe, compileSqlite, buildDecode, buildEcho, buildPg, buildHits, buildSpdlog, flags: FLAGS }

if (require.main === module) console.log(build(console.log))
