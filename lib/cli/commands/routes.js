'use strict'
// npx undercroft routes: what routes there are, and what is made of them for others.

const fs = require('node:fs')
const path = require('node:path')
const database = require('../database')
const { CommandRefusal, refusing } = require('../refusal')
const { known, nearest } = require('../../base/did-you-mean')
const { client } = require('../routes/client')
const { matrix, matrixText, overview } = require('../routes/overview')
const { nginx } = require('../routes/nginx')
const { openapi } = require('../routes/openapi')
const { types } = require('../routes/types')

const help = `
Lists the routes of a folder of SQL files (default: routes), as the core has read them. They are read
against a database's tables: those of --db, or else those that the migrations beside the folder make.

  npx undercroft routes
  npx undercroft routes check                      says what is wrong with the files, if anything is
  npx undercroft routes --openapi > openapi.json   OpenAPI 3.1
  npx undercroft routes --client > api.mjs         one function a route, for browsers and Node
  npx undercroft routes --types > api.d.mts        its TypeScript declarations
  npx undercroft routes --matrix                   route × role: who may call what
  npx undercroft routes --nginx http               which paths are the C door's, and limits from @rate
`

// What may be written instead of the list; { value, text } of it.
const makers = {
  openapi: (routes, { site }) => asJson(openapi(routes, site)),
  types: (routes) => asText(types(routes)),
  client: (routes) => asText(client(routes)),
  matrix: (routes) => {
    const made = matrix(routes)
    return { value: made, text: matrixText(made) }
  },
  nginx: (routes, { site, context }) => asText(nginx(routes, site)[context])
}

const asJson = (value) => ({ value, text: JSON.stringify(value, null, 2) })
// A text ends with a line's end, which printing adds.
const asText = (text) => ({ value: text, text: text.replace(/\n$/, '') })

const CONTEXTS = ['http', 'server']
const DOOR = '127.0.0.1:4000'

/**
 * @param {object} ctx see main.js
 * @param {{ describe?: Function }} [parts] describe(dir, target, { check }) -> the routes
 */
function run (ctx, { describe = require('../routes/describe').describe } = {}) {
  const { values, positionals, print, exitCodes } = ctx
  return refusing(ctx, async () => {
    const { isCheck, dir } = readWords(positionals)
    const maker = readMaker(values, isCheck)
    const target = database.readTarget(values, dir)
    const routes = await describe(dir, target, { check: isCheck })
    if (isCheck) {
      print({ ok: true, routes: routes.length }, `${count(routes.length, 'route')} in ${count(new Set(routes.map(({ file }) => file)).size, 'file')}: all is right`)
      return exitCodes.ok
    }
    if (maker === null) {
      print(routes, routes.length === 0 ? `there are no routes in ${dir}` : overview(routes))
      return exitCodes.ok
    }
    const { value, text } = makers[maker](routes, { site: siteOf(values, dir), context: values.nginx })
    print(value, text)
    return exitCodes.ok
  })
}

function readWords (words) {
  const isCheck = words[0] === 'check'
  const [dir = 'routes', ...others] = isCheck ? words.slice(1) : words
  if (others.length > 0) throw new CommandRefusal(`routes: there is a word too many: '${others[0]}'`, 'npx undercroft routes [check] [folder]')
  if (fs.statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) throw noFolder(dir, isCheck)
  return { isCheck, dir }
}

function noFolder (dir, isCheck) {
  if (!isCheck && nearest(dir, ['check']) !== null) return new CommandRefusal(`there is no folder ${dir}: did you mean 'check'?`)
  return new CommandRefusal(`there is no folder ${dir}`, 'name the folder of the routes: npx undercroft routes [check] [folder]', 'failed')
}

function readMaker (values, isCheck) {
  const asked = Object.keys(makers).filter((name) => values[name] !== undefined)
  if (asked.length > 1) throw new CommandRefusal(`--${asked[0]} and --${asked[1]} exclude each other`, 'run the command once for each')
  if (isCheck && asked.length > 0) throw new CommandRefusal(`routes check takes no --${asked[0]}`, 'without check it reads the files as well')
  if (values.nginx !== undefined && !CONTEXTS.includes(values.nginx)) {
    throw new CommandRefusal(`--nginx is http or server, the context it is for, not '${values.nginx}'; ${known(values.nginx, CONTEXTS)}`)
  }
  if (values.door !== undefined && !/^(unix:\/|\[?[\w.:-]+\]?:\d+$)[^\s;{}'"\\$]*$/.test(values.door)) {
    throw new CommandRefusal(`--door is where the C door listens, not '${values.door}'`, `${DOOR}, or unix:/run/app/http.sock`)
  }
  return asked[0] ?? null
}

// Of the package that the routes are in.
function siteOf ({ door = DOOR, fine = false }, dir) {
  const { name, version } = readPackage(path.dirname(path.resolve(dir)))
  const title = typeof name === 'string' ? name : path.basename(path.dirname(path.resolve(dir)))
  const app = title.toLowerCase().replace(/^@[^/]*\//, '').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '') || 'app'
  return { title, version: typeof version === 'string' ? version : undefined, app, door, fine }
}

function readPackage (dir) {
  try {
    return JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8')) ?? {}
  } catch {
    // A service has a name without one, too.
    return {}
  }
}

const count = (n, what) => `${n} ${what}${n === 1 ? '' : 's'}`

module.exports = {
  name: 'routes',
  summary: 'list routes; OpenAPI, TypeScript, a client, a table of roles, nginx',
  usage: 'routes [check] [FOLDER] [--db FILE | --migrations FOLDER] [--openapi | --types | --client | --matrix | --nginx http|server]',
  help,
  options: {
    ...database.options,
    openapi: { type: 'boolean', help: 'OpenAPI 3.1, as JSON' },
    types: { type: 'boolean', help: 'TypeScript declarations of parameters, answers and the client' },
    client: { type: 'boolean', help: 'an ES module that calls the routes' },
    matrix: { type: 'boolean', help: 'route × role' },
    nginx: { type: 'string', help: 'http or server: what goes into that block of the gateway' },
    door: { type: 'string', help: `with --nginx, where the C door listens: ${DOOR}` },
    fine: { type: 'boolean', help: "the service has statuses: 'fine'" }
  },
  positionals: true,
  run
}
