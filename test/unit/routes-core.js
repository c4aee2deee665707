'use strict'
// The package as a project has it in its node_modules. Where the addon that is built has no routes
// yet, those in miniature take their place; with the first one that has, this is one line.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { open } = require('../..')
const { root } = require('../helper')

let known = null

/** Whether the core serves routes. */
function hasRoutes () {
  known ??= look()
  return known
}

async function look () {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'undercroft-test-'))
  const store = open(':memory:', { log: { level: 'silent' } })
  try {
    fs.writeFileSync(path.join(dir, 'a.sql'), '-- @get /a :one\n-- @public\nselect 1 as a;\n')
    await store.routes(dir).ready
    return true
  } catch {
    return false
  } finally {
    await store.close()
    fs.rmSync(dir, { recursive: true, force: true })
  }
}

const real = `module.exports = require(${JSON.stringify(root)})\n`

const miniature = `'use strict'
const real = require(${JSON.stringify(root)})
const { service } = require(${JSON.stringify(path.join(root, 'test/unit/routes-mini.js'))})

function open (...args) {
  const store = real.open(...args)
  store.routes = (dir) => {
    const { inject } = service(store.db, dir)
    const answer = async (method, target, text) => inject(method, target, text === '' ? {} : { body: JSON.parse(text) })
    return {
      ready: Promise.resolve(),
      inject,
      node: () => async (req, res) => {
        let text = ''
        for await (const piece of req) text += piece
        const { status, type, body } = await answer(req.method, req.url, text)
        res.writeHead(status, { 'content-type': type }).end(body)
      },
      fetch: async (request) => {
        const { pathname, search } = new URL(request.url)
        const { status, type, body } = await answer(request.method, pathname + search, await request.text())
        return new Response(body, { status, headers: { 'content-type': type } })
      }
    }
  }
  return store
}

module.exports = { open, graceful: real.graceful }
`

/** Puts the package where a project of this folder finds it. */
async function install (dir) {
  const place = path.join(dir, 'node_modules/undercroft')
  fs.mkdirSync(place, { recursive: true })
  fs.writeFileSync(path.join(place, 'package.json'), '{ "name": "undercroft", "main": "index.js" }')
  fs.writeFileSync(path.join(place, 'index.js'), await hasRoutes() ? real : miniature)
}

module.exports = { hasRoutes, install }
