'use strict'
// Routes in miniature, for files that are generated: a strict reader of the format (the grammar is in
// csrc/core/routes/tags.h) and as much of a service as their tests need. store.routes takes its place:
//
//   const service = (db, dir) => store.routes(dir)

const fs = require('node:fs')
const path = require('node:path')

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/
const PATH = /^\/$|^(\/(?!\.{1,2}(\/|$)|:)[A-Za-z0-9\-._~!+,=@:]+)+$/
const FORMS = ['many', 'one', 'one!', 'none', 'page', 'text']
const GIVEN = ['_user', '_roles', '_now', '_ip', '_id']
const PIECES_MOST = 8
const PARAMS_MOST = 50
const STATEMENTS_MOST = 32

const quotedOrComment = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[^]*?\*\//g
// The same text with nothing in quotes and comments.
const blank = (sql) => sql.replace(quotedOrComment, (found) => found.replace(/[^\n]/g, found.startsWith('-') || found.startsWith('/') ? ' ' : '_'))
const namesIn = (sql) => [...blank(sql).matchAll(/(?<!:):([A-Za-z_]\w*)/g)].map(([, name]) => name)

class Fault extends Error {}

/**
 * @param {string} text of a file
 * @param {string} [file]
 * @returns {object[]} routes: { method, path, form, about, params: Map, auth, says, statements: { name, form, pieces }[] }
 * @throws {Fault} file:line: what is wrong
 */
function parse (text, file = 'x.sql') {
  const routes = []
  let words = []
  let route = null
  let line = 0
  const wrong = (why) => new Fault(`${file}:${line}: ${why}`)
  const finish = () => {
    if (route === null) return
    checkRoute(route, (why) => new Fault(`${file}:${route.line}: ${why}`))
    routes.push(route)
    route = null
  }
  // Comments of C stand outside of routes here.
  const lines = text.replace(/^\/\*[^]*?\*\/$/gm, (found) => found.replace(/[^\n]/g, '')).split('\n')
  let sql = ''
  for (const each of lines) {
    line++
    if (sql === '' && /^\s*$/.test(each)) {
      words = []
      continue
    }
    const comment = sql === '' ? /^--\s*(.*)$/.exec(each)?.[1] : undefined
    if (comment === undefined) {
      sql += `${each}\n`
      if (!/;\s*$/.test(blank(sql))) continue
      if (route === null) throw wrong('a statement before any route')
      addStatement(route, sql.trimEnd().slice(0, -1), wrong)
      sql = ''
      words = []
      continue
    }
    const tag = /^@([a-z]+)\s*(.*)$/.exec(comment)
    if (tag === null) {
      if (comment.startsWith('@')) throw wrong(`'${comment}' is no tag`)
      words.push(comment)
      continue
    }
    const [, name, rest] = tag
    if (name === 'get' || name === 'post') {
      finish()
      route = begin(name, rest, words.join('\n'), line, wrong)
    } else {
      if (route === null) throw wrong(`@${name} before any route`)
      if (route.statements.length > 0 && name !== 'as') throw wrong(`@${name} behind a statement`)
      addTag(route, name, rest, wrong)
    }
    words = []
  }
  if (sql !== '') throw wrong("this statement has no ';'")
  finish()
  return routes
}

function begin (method, rest, about, line, wrong) {
  const [path, form = method === 'get' ? ':many' : ':none', ...others] = rest.split(/\s+/)
  if (!PATH.test(path)) throw wrong(`the path '${path}'`)
  if (!FORMS.includes(form.slice(1)) || form[0] !== ':' || others.length > 0) throw wrong(`the form '${form} ${others.join(' ')}'`)
  return { method: method.toUpperCase(), path, form: form.slice(1), about, line, params: new Map(), auth: null, says: new Map(), tags: new Set(), statements: [], as: null }
}

const once = ['auth', 'public', 'cache', 'timeout', 'rate', 'scan', 'audit']

function addTag (route, name, rest, wrong) {
  if (once.includes(name)) {
    if (route.tags.has(name)) throw wrong(`@${name} twice`)
    route.tags.add(name)
  }
  switch (name) {
    case 'param': return addParam(route, rest, wrong)
    case 'public':
      if (rest !== '') throw wrong(`'${rest}' behind @public`)
      return addAuth(route, null, wrong)
    case 'auth': {
      const roles = rest.split(/\s+/).filter(Boolean)
      const bad = roles.find((role, i) => !/^[A-Za-z0-9_.:-]{1,64}$/.test(role) || roles.indexOf(role) !== i)
      if (bad !== undefined) throw wrong(`the role '${bad}'`)
      return addAuth(route, roles, wrong)
    }
    case 'say': return addSay(route, rest, wrong)
    case 'scan':
      if (rest !== 'ok') throw wrong('@scan ok')
      return
    case 'as': {
      const [as, form = ':many'] = rest.split(/\s+/)
      if (!NAME.test(as) || !FORMS.includes(form.slice(1))) throw wrong(`@as ${rest}`)
      route.as = { name: as, form: form.slice(1) }
      return
    }
    case 'cache':
    case 'timeout':
      if (!/^\d+(ms|[smhd])$/.test(rest) || (name === 'cache' && route.method !== 'GET')) throw wrong(`@${name} ${rest}`)
      return
    default: throw wrong(`unknown tag @${name}`)
  }
}

function addAuth (route, roles, wrong) {
  if (route.auth !== null) throw wrong('@auth and @public')
  route.auth = { roles }
}

function addSay (route, rest, wrong) {
  const [, kind, column = '', text] = /^([a-z-]+)(?:\(([A-Za-z_]\w*)\))?\s+(\S.*)$/.exec(rest) ?? []
  if (route.method !== 'POST' || !['unique', 'foreign-key', 'check', 'not-null', 'constraint'].includes(kind)) throw wrong(`@say ${rest}`)
  if (route.says.has(`${kind} ${column}`)) throw wrong(`@say ${kind} twice`)
  route.says.set(`${kind} ${column}`, text)
}

const PARAM = /^(?<name>\S+)\s+(?<type>'(?:[^']|'')+'(?:\|'(?:[^']|'')+')*|[a-z]+)(?<list>\[\])?(?:\s+(?<range>-?[\d.]*\.\.-?[\d.]*))?(?:\s+(?<optional>\?))?(?:\s+=\s*(?<preset>'(?:[^']|'')*'|\S+))?(?:\s+(?<about>[A-Za-z(].*))?$/
const RANGED = ['text', 'integer', 'real', 'blob']
const TYPES = [...RANGED, 'boolean', 'time', 'uuid', 'json']

function addParam (route, rest, wrong) {
  const found = PARAM.exec(rest)?.groups
  if (found === undefined) throw wrong(`@param ${rest}`)
  const { name, type, range, optional, about = '' } = found
  const isWords = type.startsWith("'")
  if (!NAME.test(name)) throw wrong(`the parameter's name '${name}'`)
  if (route.params.has(name)) throw wrong(`@param ${name} twice`)
  if (!isWords && !TYPES.includes(type)) throw wrong(`the type '${type}'`)
  if (range !== undefined && (!RANGED.includes(type) || range === '..')) throw wrong(`a range of ${type}`)
  if (optional !== undefined && found.preset !== undefined) throw wrong("'?' and '='")
  if (/\.\.|\?|(^|\s)@/.test(about)) throw wrong(`the words '${about}'`)
  const param = { name, type: isWords ? 'words' : type, words: isWords ? type.slice(1, -1).split("'|'") : [], range: range?.split('..').map((end) => end === '' ? null : Number(end)), optional: optional !== undefined }
  if (found.preset !== undefined) {
    const text = found.preset.startsWith("'") ? found.preset.slice(1, -1).replaceAll("''", "'") : found.preset
    param.preset = ['integer', 'real'].includes(type) ? Number(text) : type === 'boolean' ? text === 'true' : type === 'json' ? JSON.parse(text) : text
    const why = faultOf(param, param.preset)
    if (why !== null) throw wrong(`the preset ${text} ${why}`)
  }
  route.params.set(name, param)
}

function addStatement (route, sql, wrong) {
  const shown = blank(sql)
  if (/\?|\$/.test(shown)) throw wrong("a '?' or '$' in a statement")
  const pieces = []
  let from = 0
  for (const { 0: found, index } of shown.matchAll(/\{[^{}]*\}/g)) {
    pieces.push({ sql: sql.slice(from, index), needs: null })
    const inner = sql.slice(index + 1, index + found.length - 1)
    const needs = namesIn(inner).filter((name) => route.params.get(name)?.optional)
    if (needs.length === 0) throw wrong(`the piece {${inner}} has no parameter that may be absent`)
    if (/^\s*(update|delete)/i.test(shown) && /(?<!:)\bwhere\b/i.test(blank(inner))) throw wrong("a 'where' in a piece")
    pieces.push({ sql: inner, needs })
    from = index + found.length
  }
  pieces.push({ sql: sql.slice(from), needs: null })
  if (/[{}]/.test(blank(pieces.filter(({ needs }) => needs === null).map((piece) => piece.sql).join('')))) throw wrong("a '{' or '}' alone")
  if (pieces.filter(({ needs }) => needs !== null).length > PIECES_MOST) throw wrong('too many pieces')
  for (const name of namesIn(sql)) {
    if (!route.params.has(name) && !GIVEN.includes(name)) throw wrong(`there is no @param '${name}'`)
  }
  route.statements.push({ name: route.as?.name ?? '', form: route.as?.form ?? route.form, pieces, refuses: /^\s*select\b[^]*\bas\s+refuse\b/i.test(shown) })
  route.as = null
}

function checkRoute (route, wrong) {
  const { method, form, params, statements } = route
  if (route.auth === null) throw wrong('neither @auth nor @public')
  if (statements.length === 0 || statements.length > STATEMENTS_MOST || route.as !== null) throw wrong('its statements')
  if (params.size > PARAMS_MOST) throw wrong('too many parameters')
  const used = new Set(statements.flatMap(({ pieces }) => pieces.flatMap(({ sql }) => namesIn(sql))))
  for (const name of params.keys()) if (!used.has(name)) throw wrong(`@param ${name} is used nowhere`)
  const answering = statements.filter(({ refuses }) => !refuses)
  if (method === 'GET' && answering.length > 1 && answering.some(({ name }) => name === '')) throw wrong('several statements of a GET need names')
  for (const statement of answering) {
    if (!['many', 'page'].includes(statement.form) || form === 'none') continue
    const sql = blank(statement.pieces.filter(({ needs }) => needs === null).map((piece) => piece.sql).join(''))
    if (!/^\s*select/i.test(sql)) continue
    const limit = /\blimit\s+(?:(\d+)|:(\w+))\s*$/i.exec(sql)
    const bound = params.get(limit?.[2])
    if (limit === null || (limit[2] !== undefined && (bound?.type !== 'integer' || bound.optional || bound.range?.[1] === null || !(bound.range?.[0] >= 0)))) throw wrong('a list without a bounded limit')
  }
}

// ---- a service of it -------------------------------------------------------

function faultOf (param, value) {
  const { type, range: [least, most] = [null, null], words } = param
  const isOut = (n) => (least !== null && n < least) || (most !== null && n > most)
  switch (type) {
    case 'integer': return !Number.isSafeInteger(value) ? 'must be an integer' : isOut(value) ? `must be between ${least} and ${most}` : null
    case 'real': return typeof value !== 'number' ? 'must be a number' : isOut(value) ? 'is out of its range' : null
    case 'boolean': return typeof value === 'boolean' ? null : 'must be true or false'
    case 'json': return null
    case 'words': return words.includes(value) ? null : `must be one of ${words.join(', ')}`
    case 'uuid': return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value) ? null : 'must be a UUID'
    default: return typeof value !== 'string' ? 'must be a string' : type === 'text' && isOut([...value].length) ? `must have ${least} to ${most} characters` : null
  }
}

const fromText = ({ type }, text) => ['integer', 'real'].includes(type) && text !== '' ? Number(text) : type === 'boolean' ? text === 'true' : type === 'json' ? JSON.parse(text) : text

function bindable ({ type }, value) {
  if (value === null) return null
  if (type === 'boolean') return Number(value)
  if (type === 'json') return JSON.stringify(value)
  return type === 'blob' ? Buffer.from(value, 'base64') : value
}

class Refusal extends Error {}

/**
 * @param {object} db
 * @param {string} dir
 * @returns {{ routes: object[], inject: Function }}
 */
function service (db, dir) {
  const routes = fs.readdirSync(dir).filter((name) => name.endsWith('.sql')).flatMap((name) => parse(fs.readFileSync(path.join(dir, name), 'utf8'), name))
  return { routes, inject: (method, target, options) => inject(db, routes, method, target, options) }
}

async function inject (db, routes, method, target, { body, user = null, roles = [] } = {}) {
  const [path, query = ''] = target.split('?')
  const route = routes.find((each) => each.path === path && each.method === method)
  if (route === undefined) return { status: 404, type: 'text/plain', body: 'not found' }
  try {
    admit(route, user, roles)
    const given = readParams(route, method === 'GET' ? [...new URLSearchParams(query)] : Object.entries(body ?? {}), method === 'GET')
    const value = await db.transaction((tx) => run(tx, route, given))
    return { status: 200, type: 'application/json', body: value === undefined ? '' : JSON.stringify(value) }
  } catch (err) {
    const said = err instanceof Refusal ? err.message : route.says.get(`${err.kind} ${err.column ?? ''}`) ?? route.says.get(`${err.kind} `)
    if (said === undefined && !['unique', 'foreign-key', 'check', 'not-null', 'constraint'].includes(err.kind)) throw err
    return { status: 400, type: 'text/plain', body: said ?? 'not allowed' }
  }
}

function admit ({ auth }, user, roles) {
  if (auth.roles === null) return
  if (user === null) throw new Refusal('log in first')
  if (auth.roles.length > 0 && !auth.roles.some((role) => roles.includes(role))) throw new Refusal('not allowed')
}

function readParams ({ params }, pairs, isText) {
  const given = new Map()
  const wrong = []
  for (const [name, raw] of pairs) {
    const param = params.get(name)
    if (param === undefined) {
      wrong.push(`${name}: unknown`)
      continue
    }
    const value = isText ? fromText(param, raw) : raw
    const why = value === null && param.optional ? null : faultOf(param, value)
    if (why === null) given.set(name, value)
    else wrong.push(`${name}: ${why}`)
  }
  for (const { name, optional, preset } of params.values()) {
    if (given.has(name) || wrong.some((line) => line.startsWith(`${name}:`))) continue
    if (preset !== undefined) given.set(name, preset)
    else if (!optional) wrong.push(`${name}: is missing`)
  }
  if (wrong.length > 0) throw new Refusal(wrong.join('\n'))
  return given
}

/** The text of a statement where these parameters were given. */
const variant = ({ pieces }, has) => pieces.filter(({ needs }) => needs === null || needs.every(has)).map(({ sql }) => sql).join('')

async function run (tx, route, given) {
  let answer
  for (const statement of route.statements) {
    const sql = variant(statement, (name) => given.has(name))
    const bound = {}
    for (const name of namesIn(sql)) bound[name] = name === '_now' ? Date.now() : route.params.has(name) ? bindable(route.params.get(name), given.get(name) ?? null) : null
    const isSilent = !/^\s*select\b|\breturning\b/i.test(blank(sql))
    const rows = isSilent ? [] : await tx.all(sql, bound)
    if (isSilent) await tx.run(sql, bound)
    if (statement.refuses && rows.length > 0) throw new Refusal(rows[0].refuse)
    if (!statement.refuses && rows.length > 0) answer = rows
    else if (!statement.refuses && route.form === 'many') answer = []
  }
  if (route.form === 'none') return undefined
  if (route.form === 'many') return answer
  if (answer === undefined && route.form === 'one!') throw new Refusal('not found')
  return answer?.[0]
}

module.exports = { namesIn, parse, service, variant }
