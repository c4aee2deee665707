'use strict'

// Each subpath of the package as TypeScript's own resolver finds its types, in the ways that are in
// use: require and import under node16, and what bundlers do. And the same for what runs.

const fs = require('node:fs')
const path = require('node:path')
const { createRequire } = require('node:module')
const { pathToFileURL } = require('node:url')
const t = require('tap')
const pkg = require('../../package.json')
const { fileTimeoutMs, isBun, root, tmpdir } = require('../helper')

t.setTimeout(fileTimeoutMs)

// What each subpath has under each of the two ways to load it.
const subpaths = {
  '.': {
    types: { require: 'index.d.ts', import: 'index.d.mts' },
    runs: { require: 'index.js', import: 'index.mjs' },
    names: ['Store', 'UndercroftError', 'graceful', 'open']
  },
  './deploy': {
    types: { require: 'lib/types/deploy.d.ts', import: 'lib/types/deploy.d.ts' },
    runs: { require: 'deploy/index.js', import: 'deploy/index.js' },
    names: ['defineConfig']
  },
  './graceful': {
    types: { require: 'lib/types/graceful.d.ts', import: 'lib/types/graceful.d.ts' },
    runs: { require: 'lib/graceful/index.js', import: 'lib/graceful/index.js' },
    names: ['graceful']
  },
  './kit/session': {
    types: { require: 'lib/types/session.d.ts', import: 'lib/types/session.d.ts' },
    runs: { require: 'lib/kit/session/index.js', import: 'lib/kit/session/index.js' },
    names: ['migration', 'passwords']
  }
}

const named = `import { open, Store, UndercroftError, graceful as alsoGraceful, type Database } from 'undercroft'
import { defineConfig, type Config } from 'undercroft/deploy'
import { graceful, type Service } from 'undercroft/graceful'
import session, { migration, type Sessions } from 'undercroft/kit/session'
const store: Store = open('app.db')
const db: Database = store.db
const config = defineConfig({ app: 'shop', hosts: ['deploy@h'], start: ['node', 'app.js'] })
const same: Config = config
const service: Promise<Service> = graceful(() => new Response('x'), { store })
const both: typeof graceful = alsoGraceful
const sessions: Sessions = session(store, { name: 'shop' })
const table: string = migration.sqlite
export { db, same, service, both, sessions, table, UndercroftError }
`
const ofDefault = `import undercroft from 'undercroft'
const { open, graceful, UndercroftError } = undercroft
const store = open('app.db')
export const opened: boolean = store instanceof undercroft.Store
export { graceful, UndercroftError }
`
// A name that is not there has to be told, or everything above would be `any`.
const wrong = "import { opne } from 'undercroft'\nimport { gracefull } from 'undercroft/graceful'\nimport { defineConfg } from 'undercroft/deploy'\nimport { migrations } from 'undercroft/kit/session'\nexport { opne, gracefull, defineConfg, migrations }\n"

const modes = {
  'node16, require': {
    how: 'require',
    options: ts => ({ module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16 }),
    format: ts => ts.ModuleKind.CommonJS,
    files: {
      'named.cts': named,
      'wrong.cts': wrong,
      'equals.cts': "import undercroft = require('undercroft')\nimport deploy = require('undercroft/deploy')\nimport stop = require('undercroft/graceful')\nimport session = require('undercroft/kit/session')\n" +
        "export const store: undercroft.Store = undercroft.open('app.db')\nexport const { defineConfig } = deploy\nexport const { graceful } = stop\nexport const sessions: session.Sessions = session(store)\n"
    }
  },
  'node16, import': {
    how: 'import',
    options: ts => ({ module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16 }),
    format: ts => ts.ModuleKind.ESNext,
    files: { 'named.mts': named, 'default.mts': ofDefault, 'wrong.mts': wrong }
  },
  bundler: {
    how: 'import',
    options: ts => ({ module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }),
    files: { 'named.ts': named, 'default.ts': ofDefault, 'wrong.ts': wrong }
  }
}

const specifier = subpath => subpath.replace(/^\./, 'undercroft')

function project (t) {
  const dir = tmpdir(t)
  fs.mkdirSync(path.join(dir, 'node_modules'))
  fs.symlinkSync(root, path.join(dir, 'node_modules/undercroft'))
  fs.symlinkSync(path.join(root, 'node_modules/@types'), path.join(dir, 'node_modules/@types'))
  return dir
}

t.test('every subpath has its expectation', async (t) => {
  t.same(Object.keys(pkg.exports).sort(), [...Object.keys(subpaths), './package.json'].sort())
})

for (const [mode, { how, options, format, files }] of Object.entries(modes)) {
  t.test(`types, ${mode}`, { skip: isBun ? 'the compiler runs on Node' : false }, async (t) => {
    const ts = require('typescript')
    const dir = project(t)
    const settings = {
      ...options(ts), target: ts.ScriptTarget.ES2022, strict: true, noEmit: true, skipLibCheck: true, preserveSymlinks: true, types: ['node']
    }
    for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(dir, name), text)
    const from = path.join(dir, Object.keys(files)[0])
    for (const [subpath, { types }] of Object.entries(subpaths)) {
      const { resolvedModule } = ts.resolveModuleName(specifier(subpath), from, settings, ts.sys, undefined, undefined, format?.(ts))
      t.equal(resolvedModule?.resolvedFileName, path.join(dir, 'node_modules/undercroft', types[how]), subpath)
    }
    const program = ts.createProgram(Object.keys(files).map(name => path.join(dir, name)), settings)
    const found = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => ({ file: file && path.basename(file.fileName), text: ts.flattenDiagnosticMessageText(messageText, ' ') }))
    t.same(found.filter(({ file }) => !file?.startsWith('wrong.')), [])
    const told = found.filter(({ file }) => file?.startsWith('wrong.')).map(({ text }) => /opne|gracefull|defineConfg|migrations/.exec(text)?.[0] ?? text)
    t.same(told.sort(), ['defineConfg', 'gracefull', 'migrations', 'opne'], 'what is not there is told')
  })
}

t.test('what runs is what the types describe', async (t) => {
  const dir = project(t)
  const { resolve } = createRequire(path.join(dir, 'app.js'))
  for (const [subpath, { types, runs, names }] of Object.entries(subpaths)) {
    t.equal(fs.realpathSync(resolve(specifier(subpath))), path.join(root, runs.require), subpath)
    const required = require(path.join(root, runs.require))
    t.same(names.filter(name => required[name] === undefined), [], `${subpath}: required`)
    const file = path.join(dir, `${path.basename(specifier(subpath))}.mjs`)
    fs.writeFileSync(file, `export * as found from '${specifier(subpath)}'\n`)
    const { found } = await import(pathToFileURL(file))
    for (const name of names) t.equal(found[name], required[name], `${subpath}: import of ${name}`)
    // A file of types is read as the kind of module that its own name says.
    for (const how of ['require', 'import']) {
      t.equal(/\.d\.mts$/.test(types[how]), /\.mjs$/.test(runs[how]), `${subpath}: ${how} is typed as the module that it is`)
    }
  }
})
