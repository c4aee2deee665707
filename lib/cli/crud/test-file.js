'use strict'
// The test that is written with the routes: a row is added, found, changed and removed.

const { isPlain, sample } = require('./sample')
const { words } = require('./names')

/**
 * @param {Table} table see table.js
 * @param {Plan} plan see plan.js
 * @param {object} options
 * @param {string} options.path of the routes
 * @param {string[]|null} options.roles null: public
 * @param {string} options.dir of the routes, as it is from the folder of the test: '../routes'
 * @param {{ migrations: string } | { sql: string[] }} options.schema a folder as dir, or statements
 * @param {string[]|null} options.parents rows that have to be there, see sample.js
 * @param {boolean} options.isModule
 * @returns {string}
 */
function testOf (table, plan, options) {
  const what = words(table.name)
  const tests = [
    ...(plan.canAdd ? [life(plan, what, options)] : [empty(what, options)]),
    unknown(what, options),
    ...(options.roles === null ? [] : [closed(what, options)])
  ]
  return `${head(table, options)}\n${service(options)}\n${ask(options)}\n${tests.join('\n')}`
}

function head (table, { isModule }) {
  const about = `// What the routes of ${words(table.name)} answer: written by \`npx undercroft crud\`, meant to be changed.\n`
  const modules = [['test', 'node:test'], ['assert', 'node:assert'], ['path', 'node:path'], ['{ open }', 'undercroft']]
  if (!isModule) return `'use strict'\n\n${about}\n${modules.map(([name, from]) => `const ${name} = require('${from}')\n`).join('')}`
  return `${about}\n${modules.map(([name, from]) => `import ${name} from '${from}'\n`).join('')}`
}

function service ({ dir, schema, parents, isModule }) {
  const here = (to) => `path.join(${isModule ? 'import.meta.dirname' : '__dirname'}, ${js(to)})`
  const tables = schema.migrations !== undefined
    ? [`  await store.db.migrate(${here(schema.migrations)})`]
    : schema.sql.map((sql) => `  await store.db.exec(${js(sql)})`)
  const rows = parents === null
    ? ['  // The rows that others refer to have to be put in here: these refer to each other.']
    : parents.map((sql) => `  await store.db.run(${js(sql)})`)
  return `// The routes over an empty database in memory.
async function service (t) {
  const store = open(':memory:')
  t.after(() => store.close())
${[...tables, ...rows].join('\n')}
  return store.routes(${here(dir)})
}
`
}

function ask ({ roles }) {
  const who = roles === null ? '' : `const who = { user: 1, roles: ${list(roles)} }\n\n`
  return `${who}// -> { status, body, value }, the body also as what it is in JSON.
async function ask (routes, method, target, params = {}${roles === null ? '' : ', by = who'}) {
  const { status, body } = method === 'GET'
    ? await routes.inject(method, \`\${target}?\${new URLSearchParams(params)}\`${roles === null ? '' : ', by'})
    : await routes.inject(method, target, { ${roles === null ? '' : '...by, '}body: params })
  return { status, body, value: status === 200 && body !== '' ? JSON.parse(body) : null }
}
`
}

function life (plan, what, { path }) {
  return test(`${what}: added, found, changed and removed`, [
    ...adding(plan, path), '', ...finding(plan, path), ...changing(plan, path), '', ...removing(what, path)
  ])
}

const required = (plan) => plan.given.filter((field) => field.isRequired)

function adding (plan, path) {
  const values = Object.fromEntries(required(plan).map((field) => [field.param, sample(field.type)]))
  return [
    `  const added = await ask(routes, 'POST', ${js(`${path}/add`)}, ${object(values)})`,
    '  assert.strictEqual(added.status, 200, added.body)',
    `  const key = ${keyFrom(plan)}`
  ]
}

function finding (plan, path) {
  return [
    `  const { value: row } = await ask(routes, 'GET', ${js(`${path}/one`)}, key)`,
    ...required(plan).filter(({ type }) => isPlain(type)).map((field) => `  assert.strictEqual(row${at(field.name)}, ${js(sample(field.type))})`),
    `  assert.deepStrictEqual(Object.keys(row), ${list(plan.shown.map(({ name }) => name))})`,
    `  const { value: page } = await ask(routes, 'GET', ${js(`${path}/list`)})`,
    '  assert.deepStrictEqual([page.rows.length, page.next], [1, null])'
  ]
}

function changing (plan, path) {
  const change = plan.changed.find((field) => isPlain(field.type) && !isReference(field, plan))
  if (change === undefined) return []
  const value = js(sample(change.type, true))
  return [
    '',
    `  const set = await ask(routes, 'POST', ${js(`${path}/set`)}, { ...key, ${key(change.param)}: ${value} })`,
    "  assert.deepStrictEqual([set.status, set.body], [200, ''])",
    `  const { value: changed } = await ask(routes, 'GET', ${js(`${path}/one`)}, key)`,
    `  assert.strictEqual(changed${at(change.name)}, ${value})`
  ]
}

function removing (what, path) {
  return [
    `  const removed = await ask(routes, 'POST', ${js(`${path}/remove`)}, key)`,
    "  assert.deepStrictEqual([removed.status, removed.body], [200, ''])",
    `  assert.strictEqual((await ask(routes, 'GET', ${js(`${path}/one`)}, key)).status, 400)`,
    `  const again = await ask(routes, 'POST', ${js(`${path}/remove`)}, key)`,
    `  assert.deepStrictEqual([again.status, again.body], [400, ${js(`no such ${what}`)}])`
  ]
}

// A row of another value would have to be there.
const isReference = (field, plan) => plan.foreign.has(field.name)

// By the names of parameters; what was answered has those of columns.
function keyFrom (plan) {
  if (plan.key.every(({ name, param }) => name === param)) return 'added.value'
  return `{ ${plan.key.map(({ name, param }) => `${key(param)}: added.value${at(name)}`).join(', ')} }`
}

function empty (what, { path }) {
  return test(`${what}: an empty list`, [
    `  const { value: page } = await ask(routes, 'GET', ${js(`${path}/list`)})`,
    '  assert.deepStrictEqual(page, { rows: [], next: null })'
  ])
}

function unknown (what, { path }) {
  return test(`${what}: what is no parameter is refused`, [
    `  const { status, body } = await ask(routes, 'GET', ${js(`${path}/list`)}, { nonsense: 1 })`,
    '  assert.strictEqual(status, 400)',
    '  assert.match(body, /^nonsense: /)'
  ])
}

function closed (what, { path }) {
  return test(`${what}: nothing without a login`, [
    `  const { status, value } = await ask(routes, 'GET', ${js(`${path}/list`)}, {}, {})`,
    '  assert.notStrictEqual(status, 200)',
    '  assert.strictEqual(value, null)'
  ])
}

function test (name, lines) {
  return `test(${js(name)}, async (t) => {\n  const routes = await service(t)\n${lines.join('\n')}\n})\n`
}

// ---- JavaScript ------------------------------------------------------------

// A text in single quotes, unless it has some.
function js (value) {
  if (typeof value === 'string') return value.includes("'") ? JSON.stringify(value) : `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"')}'`
  if (typeof value === 'object' && value !== null) return object(value)
  return String(value)
}

const isName = (name) => /^[A-Za-z_$][\w$]*$/.test(name)
const key = (name) => isName(name) ? name : js(name)
const at = (name) => isName(name) ? `.${name}` : `[${js(name)}]`
const list = (items) => `[${items.map(js).join(', ')}]`

function object (value) {
  const pairs = Object.entries(value).map(([name, one]) => `${key(name)}: ${js(one)}`)
  return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`
}

module.exports = { testOf }
