'use strict'

// store.routes(dir): a service that is declared in SQL files, for whatever serves HTTP in this process.
//
//   doors/node.js  fastify.js  fetch.js  hono.js  inject.js     how each server's requests are read
//        └─ exchange.js ──> service.js ──> sets.js ──> the core: routes_load, request, routes_drop
//                               └─ own.js: handlers of one's own

const { RouteService } = require('./service')
const { readOptions } = require('./options')
const { readFiles, readDir, DirWatch } = require('./files')
const { readOwn } = require('./own')
const { nodeDoor } = require('./doors/node')
const { fastifyDoor } = require('./doors/fastify')
const { fetchDoor, honoDoor } = require('./doors/fetch')
const { inject } = require('./doors/inject')

/** What store.routes returns. */
class Routes {
  #service
  #dir
  #watch = null
  // What stood in the way of reading the files, and has its line.
  #unread = ''

  /**
   * @param {{ send: Function, log: () => object|null }} core see RouteService
   * @param {string|URL} dir
   * @param {object} [options] see options.js
   * @throws {UndercroftError} UC_OPTION; UC_ROUTE where the directory cannot be read
   */
  constructor (core, dir, options) {
    const read = readOptions(options)
    this.#dir = readDir(dir)
    const { files, dirs } = readFiles(this.#dir)
    const service = this.#service = new RouteService(core, files, read)
    if (read.watch) {
      this.#watch = new DirWatch(() => this.#changed())
      this.#watch.follow(dirs)
    }
    // Handed over by themselves: Bun.serve({ fetch: routes.fetch }).
    this.fetch = fetchDoor(service)
    this.hono = honoDoor(service)
    this.fastify = fastifyDoor(service)
  }

  /**
   * For node:http: (req, res) => …; as middleware of Express and Connect also with their next().
   *
   * @param {Function} [next] (req, res), for what is none of ours
   */
  node (next) {
    return nodeDoor(this.#service, next)
  }

  /** A request without a server, for tests. */
  inject (method, target, options) {
    return inject(this.#service, method, target, options)
  }

  /** The answer for an error in a handler of one's own; what is to be logged has its line. */
  answer (err) {
    const { status, type, headers, body } = this.#service.failed(err)
    const own = {}
    for (let i = 0; i < headers.length; i += 2) own[headers[i]] = headers[i + 1]
    return { status, type, headers: own, body }
  }

  /** A handler of one's own for GET, and so for HEAD. */
  get (path, options, fn) {
    return this.#add(readOwn('get', path, options, fn))
  }

  /** A handler of one's own for POST. */
  post (path, options, fn) {
    return this.#add(readOwn('post', path, options, fn))
  }

  #add (own) {
    this.#service.sets.add(own)
    return this
  }

  /** Each route of the files, once they are loaded, and each handler of one's own. */
  list () {
    const own = this.#service.sets.own.map(({ method, path, about, isPublic, roles }) => ({ method, path, about, public: isPublic, roles, own: true }))
    return [...this.#service.sets.current?.routes ?? [], ...own]
  }

  /** Resolves when the files are loaded; rejects with what is wrong with them: file, line, sentence. */
  get ready () {
    return this.#service.ready.then(() => this)
  }

  /** Reads the directory again. Rejects with what is wrong; the old files then go on. */
  async reload () {
    const { files, dirs } = readFiles(this.#dir)
    this.#watch?.follow(dirs)
    await this.#service.reload(files)
    return this
  }

  async #changed () {
    const service = this.#service
    const found = this.#look()
    if (found === null || JSON.stringify(found) === JSON.stringify(service.files)) return
    try {
      await service.reload(found)
      service.log?.info({ routes: service.sets.current.routes.length }, 'routes: loaded again')
    } catch (err) {
      this.#notAgain(err)
    }
  }

  // null: they cannot be read now. Perhaps later: whoever puts a directory in place of another removes
  // it first.
  #look () {
    try {
      const { files, dirs } = readFiles(this.#dir)
      this.#watch?.follow(dirs)
      this.#unread = ''
      return files
    } catch (err) {
      this.#watch?.lookAgain()
      if (err.message !== this.#unread) this.#notAgain(err)
      this.#unread = err.message
      return null
    }
  }

  #notAgain (err) {
    if (err.code !== 'UC_CLOSED') this.#service.report(err, { msg: 'routes: not loaded again, the old ones go on' })
  }

  /** The core forgets them, with the last answer. Requests are answered with 503 from now on. */
  close () {
    this.#watch?.end()
    this.#watch = null
    this.#service.sets.close()
  }
}

module.exports = { Routes }
