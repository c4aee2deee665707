'use strict'

// The types against what they describe: the codes, the exports, both ways to import. What they say
// of each method is tested by tsd in test/types.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const undercroft = require('../..')
const { Table } = require('../../lib/db/table')
const { codes } = require('../../lib/base/errors')
const { defaults } = require('../../lib/base/options')
const { isBun, isLong, root, tmpdir } = require('../helper')

const read = (name) => fs.readFileSync(path.join(root, 'lib/types', name), 'utf8')

t.test('the list of codes is the one of lib/base/errors.js', async (t) => {
  const text = read('errors.d.ts')
  const union = text.slice(text.indexOf('OwnCode ='), text.indexOf('export type ErrorCode'))
  t.same(Array.from(union.matchAll(/'(\w+)'/g), (match) => match[1]).sort(), Object.keys(codes).sort())
  const kinds = text.slice(text.indexOf('ErrorKind ='), text.indexOf('export interface ErrorInfo'))
  const known = new Set(Array.from(kinds.matchAll(/'([\w-]+)'/g), (match) => match[1]))
  for (const [code, { kind }] of Object.entries(codes)) t.ok(known.has(kind), `${code}: ${kind}`)
})

t.test('the options are the ones of lib/base/options.js', async (t) => {
  const text = read('options.d.ts')
  const body = text.slice(text.indexOf('interface OpenOptions {'), text.indexOf('export interface CallOptions'))
  t.same(Array.from(body.matchAll(/^ {2}(\w+)\?:/gm), (match) => match[1]).sort(), Object.keys(defaults).sort())
})

t.test('every method is described, and every description has its method', async (t) => {
  const store = undercroft.open(':memory:')
  t.teardown(() => store.close())
  const declared = (file, name) => {
    const text = read(file)
    const [, parents, rest] = new RegExp(`(?:interface|class) ${name}\\b(?:<[^{]*?>)?(?: extends (\\w+))? \\{([^]*?)^\\}`, 'm').exec(text)
    const own = Array.from(rest.matchAll(/^ {2}(?:readonly |get )?(\w+)(?:: | ?\(|<)/gm), (match) => match[1])
    return new Set([...own, ...(parents === undefined ? [] : declared(file, parents))])
  }
  const real = (value) => {
    const names = new Set()
    for (let at = Object.getPrototypeOf(value); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
      for (const name of Object.getOwnPropertyNames(at)) if (name !== 'constructor') names.add(name)
    }
    return names
  }
  const compare = (value, file, name, own = []) => {
    const described = declared(file, name)
    described.delete('constructor')
    t.same([...described].sort(), [...real(value), ...own].sort(), name)
  }
  const { db } = store
  compare(db, 'database.d.ts', 'Database')
  compare(db.prepare('select 1'), 'database.d.ts', 'Statement', ['sql'])
  compare(db.table('x'), 'table.d.ts', 'Table')
  compare(db.sync, 'sync.d.ts', 'Sync')
  compare(store.cache, 'cache.d.ts', 'Cache')
  compare(store.cache.sync, 'cache.d.ts', 'CacheSync')
  compare(store.log, 'log.d.ts', 'Log')
  compare(store.log.span('x'), 'log.d.ts', 'Span')
  compare(store, 'store.d.ts', 'Store', ['db', 'target'])
  await db.transaction(async (tx) => compare(tx, 'database.d.ts', 'Transaction'))
  await db.snapshot(async (s) => compare(s, 'database.d.ts', 'ReadVerbs'))
  t.ok(db.table('x') instanceof Table)
})

t.test('require and import see the same types, and the typed example fits them', { skip: isBun ? 'the compiler runs on Node' : !isLong && 'in the long run', timeout: 120000 }, async (t) => {
  const ts = require('typescript')
  const dir = tmpdir(t)
  fs.mkdirSync(path.join(dir, 'node_modules'))
  fs.symlinkSync(root, path.join(dir, 'node_modules/undercroft'))
  fs.symlinkSync(path.join(root, 'node_modules/@types'), path.join(dir, 'node_modules/@types'))
  const use = `const store = open('a.db'); const row = await store.db.get<{ id: number }>('select 1'); const id: number | undefined = row?.id
    try { await store.close() } catch (err) { if (err instanceof UndercroftError) { const code: string = err.code } }`
  const files = {
    'named.mts': `import { open, UndercroftError, type Database } from 'undercroft'\nexport async function f (db: Database) { ${use} }`,
    'default.mts': `import undercroft from 'undercroft'\nconst { open, UndercroftError } = undercroft\nexport async function f () { ${use} }`,
    'require.cts': `import undercroft = require('undercroft')\nconst { open, UndercroftError } = undercroft\nexport async function f () { ${use} }`
  }
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(dir, name), text)
  fs.copyFileSync(path.join(root, 'examples/script.mts'), path.join(dir, 'script.mts'))
  const names = [...Object.keys(files), 'script.mts']
  const program = ts.createProgram(names.map((name) => path.join(dir, name)), {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    preserveSymlinks: true,
    types: ['node']
  })
  const found = ts.getPreEmitDiagnostics(program).map((each) => `${each.file?.fileName}: ${ts.flattenDiagnosticMessageText(each.messageText, ' ')}`)
  t.same(found, [])
})
