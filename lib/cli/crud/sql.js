'use strict'
// The file of routes: list, one, add, set, remove.

const { sqlName, words } = require('./names')

const WIDTH = 100
// Of one statement (UC_ROUTE_PIECES); of more columns set makes several.
const PIECES_MOST = 8
// A column that @say can name.
const PLAIN = /^[A-Za-z_]\w{0,63}$/

/**
 * @param {Table} table see table.js
 * @param {Plan} plan see plan.js
 * @param {{ path: string, auth: string }} options auth: the line, '@public' or '@auth editor'
 * @returns {string}
 */
function routesOf (table, plan, { path, auth }) {
  const to = { table, plan, path, auth, sql: sqlName(table.name), what: words(table.name) }
  const routes = [list(to), one(to)]
  if (plan.canAdd) routes.push(add(to))
  if (plan.changed.length > 0) routes.push(set(to))
  routes.push(remove(to))
  return [head(to), ...routes].join('\n')
}

function head ({ plan, what }) {
  const lines = [`The routes of ${what}, written by \`npx undercroft crud\` and meant to be changed.`, ...plan.notes.map((note) => `${note}.`)]
  // Far from the first route, which it does not describe.
  return `/* ${lines.map((line) => line.replaceAll(/\s+/g, ' ').replaceAll('/*', '/ *').replaceAll('*/', '* /')).join('\n   ')} */\n`
}

// ---- each route ------------------------------------------------------------

function list ({ plan, path, auth, sql }) {
  const { key, listed } = plan
  const after = key.map(({ param }) => param)
  const limit = after.includes('limit') ? 'page_size' : 'limit'
  // What is handed back for the next page are parameters, and so has their names.
  const columns = listed.map((field) => !key.includes(field) || field.name === field.param ? field.sql : `${field.sql} as ${sqlName(field.param)}`)
  return route('A page in the order of the key; the one behind it is asked for with what `next` says.', `@get ${path}/list :page ${after.join(' ')}`, [
    ...key.map((field) => `@param ${field.param} ${field.type} ?  of the last row seen`),
    `@param ${limit} integer 1..100 = 20`,
    auth,
    '@scan ok'
  ], [
    ...together(after),
    `select ${wrap(columns, 7)}\n` +
    `  from ${sql}\n` +
    ` where true { and ${tuple(key.map((field) => field.sql))} > ${tuple(after.map((name) => `:${name}`))} }\n` +
    ` order by ${key.map((field) => field.sql).join(', ')} limit :${limit}`
  ])
}

// Half a key names no row.
function together (names) {
  if (names.length === 1) return []
  const given = names.map((name) => `(:${name} is not null)`)
  return [`select ${text(`${names[0]}: goes with ${names.slice(1).join(', ')}`)} as refuse\n where ${given.join(' + ')} not in (0, ${names.length})`]
}

function one ({ plan, path, auth, sql }) {
  return route('One row by its key.', `@get ${path}/one :one!`, [...keyParams(plan), auth], [
    `select ${wrap(plan.shown.map((field) => field.sql), 7)}\n  from ${sql} where ${byKey(plan)}`
  ])
}

function add ({ table, plan, path, auth, sql }) {
  const { key, given, filled } = plan
  const columns = [...given.map((field) => [field.sql, `:${field.param}`]), ...filled.map(([field, value]) => [field.sql, value])]
  const insert = columns.length === 0
    ? `insert into ${sql} default values`
    : `insert into ${sql} (${wrap(columns.map(([name]) => name), 2)})\n  values (${wrap(columns.map(([, value]) => value), 4)})`
  return route('A new row; answers with its key.', `@post ${path}/add :one`, [
    ...given.map((field) => `@param ${field.param} ${field.type}${field.preset !== null ? ` = ${field.preset}` : field.isRequired ? '' : ' ?'}`),
    auth,
    ...sayUnique(table, given)
  ], [...refuseForeign(table, given, (field) => field.isRequired), `${insert}\n  returning ${key.map((field) => field.sql).join(', ')}`])
}

function set ({ table, plan, path, auth, sql, what }) {
  const { key, changed, touched } = plan
  // An update begins with what is always there; a time is set once.
  const first = touched.length > 0 ? touched.map(([field, value]) => `${field.sql} = ${value}`).join(', ') : `${key[0].sql} = ${key[0].sql}`
  const updates = slices(changed, PIECES_MOST).map((fields, i) =>
    `update ${sql} set ${i === 0 ? first : `${key[0].sql} = ${key[0].sql}`}\n` +
    fields.map((field) => `  { , ${field.sql} = :${field.param} }\n`).join('') +
    ` where ${byKey(plan)}`)
  return route('What is absent stays as it is; null is null.', `@post ${path}/set :none`, [
    ...keyParams(plan),
    ...changed.map((field) => `@param ${field.param} ${field.type} ?`),
    auth,
    ...sayUnique(table, changed),
    ...(changed.some(({ column }) => column.notNull) ? ['@say not-null  a value that has to be there is null'] : [])
  ], [missing(plan, sql, what), ...refuseForeign(table, changed, () => false), ...updates])
}

function remove ({ plan, path, auth, sql, what }) {
  return route('Removes a row that no other refers to.', `@post ${path}/remove :none`, [
    ...keyParams(plan),
    auth,
    '@say foreign-key  it is still in use'
  ], [missing(plan, sql, what), `delete from ${sql} where ${byKey(plan)}`])
}

// ---- what they have in common ----------------------------------------------

const keyParams = ({ key }) => key.map((field) => `@param ${field.param} ${field.type}`)

const byKey = ({ key }) => key.map((field) => `${field.sql} = :${field.param}`).join(' and ')

function missing (plan, sql, what) {
  return `select ${text(`no such ${what}`)} as refuse\n where not exists (select 1 from ${sql} where ${byKey(plan)})`
}

// In front of the write, so that it says which of the values it was.
function refuseForeign ({ foreign }, fields, isThere) {
  return foreign.flatMap(({ table, from, to }) => {
    const own = from.map((name) => fields.find((field) => field.name === name))
    if (own.includes(undefined)) return []
    const given = own.filter((field) => !isThere(field)).map((field) => `:${field.param} is not null and `)
    const match = own.map((field, i) => `${sqlName(to[i])} = :${field.param}`).join(' and ')
    return [`select ${text(`${own[0].param}: no such ${words(table)}`)} as refuse\n where ${given.join('')}not exists (select 1 from ${sqlName(table)} where ${match})`]
  })
}

// The sentence names what is taken, where it is known which of them it was.
function sayUnique ({ unique, key }, fields) {
  const has = (name) => fields.some((field) => field.name === name)
  const own = unique.filter((names) => names.some(has))
  const taken = (names) => `that ${names.map(words).join(' and ')} is taken`
  if (own.length === 1 && !key.some(({ name }) => has(name))) return [`@say unique  ${taken(own[0])}`]
  const named = own.filter((names) => names.length === 1 && PLAIN.test(names[0]))
  const isAll = named.length === own.length && !key.some(({ name }) => has(name))
  const says = named.map((names) => `@say unique(${names[0]})  ${taken(names)}`)
  return isAll ? says : [...says, '@say unique  it exists already']
}

function route (about, begin, tags, statements) {
  return [about, begin, ...tags].map((line) => `-- ${line}\n`).join('') + statements.map((sql) => `${sql};\n`).join('')
}

const tuple = (items) => items.length === 1 ? items[0] : `(${items.join(', ')})`

// A list over several lines, where one would be long.
function wrap (items, indent) {
  const lines = ['']
  for (const [i, item] of items.entries()) {
    const piece = i === items.length - 1 ? item : `${item}, `
    if (lines.at(-1) !== '' && lines.at(-1).length + piece.length + indent > WIDTH) lines.push('')
    lines[lines.length - 1] += piece
  }
  return lines.map((line) => line.trimEnd()).join(`\n${' '.repeat(indent)}`)
}

function slices (items, most) {
  return Array.from({ length: Math.ceil(items.length / most) }, (_, i) => items.slice(i * most, (i + 1) * most))
}

const text = (value) => `'${value.replaceAll("'", "''")}'`

module.exports = { routesOf }
