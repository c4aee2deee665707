'use strict'

// What a service may be, and what makes it drain.

const { builtin } = require('../base/builtin')
const path = builtin('node:path')
const { createRequire } = builtin('node:module')
const { UndercroftError, expected } = require('../base/errors')

const isBun = process.versions.bun !== undefined

/**
 * @param {object|Function} target a node:http server, a fastify instance, an Express or
 *   Connect application, a Hono application, options of Bun.serve, or a fetch handler
 * @returns {{ own: { port?: number, host?: string }, make: (how) => Promise<NodeServer|BunServer> }}
 * @throws {UndercroftError} UC_OPTION for anything else
 */
function recognise (target) {
  if (typeof target?.ready === 'function' && typeof target.listen === 'function' && isServer(target.server)) {
    return { own: {}, make: how => fastify(target, how) }
  }
  if (isServer(target)) return { own: {}, make: async how => node(target, how) }
  if (typeof target?.reload === 'function' && typeof target.stop === 'function') {
    throw new UndercroftError('UC_OPTION', 'graceful: this is a server that Bun.serve has started: give the options of Bun.serve in its place')
  }
  if (typeof target === 'function' && typeof target.listen === 'function') {
    return { own: {}, make: async how => node(builtin('node:http').createServer(target), how) }
  }
  if (typeof target === 'function') return fetching({ fetch: target })
  if (typeof target?.fetch === 'function') return fetching(target)
  if (isBun && typeof target?.routes === 'object' && typeof target.get !== 'function') return fetching(target)
  throw expected('UC_OPTION', 'graceful', 'a node:http server, a fastify instance, an application of Express or Hono, options of Bun.serve or a fetch handler', target)
}

function isServer (value) {
  return typeof value?.listen === 'function' && typeof value.emit === 'function' && typeof value.address === 'function'
}

function node (server, how) {
  const { NodeServer } = require('./node')
  return new NodeServer(server, how)
}

async function fastify (app, how) {
  await app.ready()
  // Its own listen() and close() run the hooks of its plugins.
  return node(app.server, { ...how, listen: where => app.listen(where), end: () => app.close() })
}

function fetching (target) {
  if (isBun) {
    // An application such as Hono's is no object of options: fetch is all that it has for Bun.
    const isOptions = Object.getPrototypeOf(target) === Object.prototype
    const options = isOptions ? target : { fetch: (req, server) => target.fetch(req, server) }
    return {
      own: { port: isOptions ? numeric(target.port) : undefined, host: isOptions ? target.hostname : undefined },
      make: async how => {
        const { BunServer } = require('./bun')
        return new BunServer(options, how)
      }
    }
  }
  for (const name of ['routes', 'websocket']) {
    if (Object.hasOwn(target, name) && Object.getPrototypeOf(target) === Object.prototype) {
      throw new UndercroftError('UC_OPTION', `graceful: '${name}' is an option of Bun.serve, and this is Node: give a node:http server, or a fetch handler`)
    }
  }
  return {
    own: {},
    make: async how => {
      const { createAdaptorServer } = honoServer()
      return node(createAdaptorServer({ fetch: (...args) => target.fetch(...args) }), how)
    }
  }
}

function numeric (port) {
  const number = Number(port)
  return port !== undefined && Number.isInteger(number) && number >= 0 && number <= 65_535 ? number : undefined
}

// As the service would find it, which is not always where this package lies.
function honoServer () {
  const own = typeof __filename === 'undefined' ? null : __filename // an ES module made by a bundler has none
  for (const from of [process.argv[1], path.join(process.cwd(), 'index.js'), own]) {
    if (!from) continue
    try {
      return createRequire(path.resolve(from))('@hono/node-server')
    } catch (err) {
      if (err.code !== 'MODULE_NOT_FOUND') throw err
    }
  }
  throw new UndercroftError('UC_OPTION', 'graceful: in Node a fetch handler needs @hono/node-server: npm install @hono/node-server, or give a node:http server')
}

module.exports = { recognise }
