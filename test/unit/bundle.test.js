'use strict'

// The package inside of a bundle, which holds no addon: what it says, and the ways that work.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { execFileSync } = require('node:child_process')
const { runtimes } = require('../runtimes')
const { fileTimeoutMs, isLong, root, startDaemon, tmpdir } = require('../helper')

t.setTimeout(fileTimeoutMs)

const bun = runtimes().find(({ kind }) => kind === 'bun')
const node = runtimes()[0]
// What is written does not depend on the runtime that writes it.
const elsewhere = fs.realpathSync(process.execPath) === fs.realpathSync(node.exec) ? false : 'the first runtime does it'
const addon = process.env.UNDERCROFT_ADDON || path.join(root, 'build/Release/undercroft.node')

// The subpaths that run in a service: the others are loaded before anything is opened.
const attempt = `
const attempt = async () => {
  const store = open(process.argv[2] ?? ':memory:')
  const row = await store.db.get('select 1 as one')
  await store.close()
  return { ...row, graceful: typeof graceful, session: typeof session(store), error: new UndercroftError('UC_OPTION', 'x') instanceof Error }
}
attempt().then(row => console.log(JSON.stringify(row)), ({ code, message }) => console.log(JSON.stringify({ code, message })))
`
const sources = {
  'app.js': `const { open, UndercroftError } = require('undercroft')\nconst { graceful } = require('undercroft/graceful')\nconst session = require('undercroft/kit/session')\n${attempt}`,
  'app.mjs': `import { open, UndercroftError } from 'undercroft'\nimport { graceful } from 'undercroft/graceful'\nimport session from 'undercroft/kit/session'\n${attempt}`
}
// What stays outside, for those who want each name.
const outer = ['undercroft', 'undercroft/graceful', 'undercroft/kit/session']
const works = { one: 1, graceful: 'function', session: 'object', error: true }

// A project that has the package installed, and the two ways to write its program.
function project (t) {
  const dir = tmpdir(t)
  const own = path.join(dir, 'node_modules/undercroft')
  for (const name of ['lib', 'index.js', 'index.mjs', 'package.json']) fs.cpSync(path.join(root, name), path.join(own, name), { recursive: true })
  fs.symlinkSync(path.join(root, 'build'), path.join(own, 'build'))
  fs.writeFileSync(path.join(dir, 'package.json'), '{ "private": true, "name": "shop" }')
  for (const [name, text] of Object.entries(sources)) fs.writeFileSync(path.join(dir, name), text)
  return dir
}

function run (dir, file, env, ...args) {
  const { UNDERCROFT_ADDON, ...rest } = process.env
  return JSON.parse(execFileSync(node.exec, [file, ...args], { cwd: dir, encoding: 'utf8', env: { ...rest, NODE_OPTIONS: '', ...env } }))
}

/**
 * Each way to write the program, as each kind of module, with the package inside and outside.
 * build(dir, { entry, format: 'cjs' | 'esm', isOutside, to }) writes the bundle.
 */
async function check (t, build) {
  const dir = project(t)
  const bundles = []
  for (const entry of Object.keys(sources)) {
    for (const format of ['cjs', 'esm']) {
      for (const isOutside of [true, false]) {
        // An ES module has no require for what is outside of it.
        if (isOutside && format === 'esm' && entry === 'app.js') continue
        const what = `${entry} as ${format}, the package ${isOutside ? 'outside' : 'inside'}`
        const to = `${what.replace(/\W+/g, '-')}/app.${format === 'esm' ? 'mjs' : 'cjs'}`
        await build(dir, { entry, format, isOutside, to })
        bundles.push({ what, to, isOutside })
      }
    }
  }
  for (const { what, to } of bundles.filter(({ isOutside }) => isOutside)) t.same(run(dir, to), works, what)
  // Bun writes into a bundle where the package was.
  fs.rmSync(path.join(dir, 'node_modules'), { recursive: true })
  const { url } = startDaemon(t, ['--db', ':memory:'])
  for (const { what, to } of bundles.filter(({ isOutside }) => !isOutside)) {
    const refusal = run(dir, to)
    t.equal(refusal.code, 'UC_NO_ADDON', what)
    t.match(refusal.message, /part of a bundle.*--external:undercroft.*or set UNDERCROFT_ADDON/, what)
    t.notMatch(refusal.message, /undercroft build/, `${what}: nothing about compiling one`)
    t.same(run(dir, to, { UNDERCROFT_ADDON: addon }), works, `${what}: with the path of the addon`)
    t.same(run(dir, to, {}, url), works, `${what}: a daemon needs no addon`)
  }
}

t.test('bundled by bun build', { skip: elsewhere || (bun.skip ?? false) }, async (t) => {
  await check(t, (dir, { entry, format, isOutside, to }) => {
    const outside = isOutside ? outer.flatMap(name => ['--external', name]) : []
    execFileSync(bun.exec, ['build', entry, '--target=node', `--format=${format}`, `--outfile=${to}`, ...outside], { cwd: dir, stdio: 'pipe' })
  })
})

t.test('bundled by esbuild', { skip: elsewhere }, async (t) => {
  const esbuild = require('esbuild')
  t.teardown(() => esbuild.stop())
  await check(t, async (dir, { entry, format, isOutside, to }) => {
    const { warnings } = await esbuild.build({
      absWorkingDir: dir,
      entryPoints: [entry],
      bundle: true,
      platform: 'node',
      format,
      outfile: to,
      external: isOutside ? ['undercroft'] : [],
      logLevel: 'silent'
    })
    t.same(warnings, [], to)
  })
})

// It takes as long as all others together.
t.test('bundled by webpack', { skip: elsewhere || (!isLong && 'in the long run') }, async (t) => {
  const webpack = require('webpack')
  await check(t, async (dir, { entry, format, isOutside, to }) => {
    const isEsm = format === 'esm'
    const outside = (name) => `${isEsm ? 'module' : 'commonjs'} ${name}`
    const stats = await new Promise((resolve, reject) => webpack({
      context: dir,
      entry: `./${entry}`,
      mode: 'production',
      target: 'node20',
      optimization: { minimize: false },
      experiments: { outputModule: isEsm },
      output: { path: path.join(dir, path.dirname(to)), filename: path.basename(to), module: isEsm, ...(isEsm ? { library: { type: 'module' } } : {}) },
      externals: isOutside ? Object.fromEntries(outer.map(name => [name, outside(name)])) : {}
    }, (err, stats) => err ? reject(err) : resolve(stats)))
    const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true })
    t.same([...errors, ...warnings].map(({ message }) => message), [], to)
  })
})
