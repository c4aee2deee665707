'use strict'

const { expected } = require('../base/errors')

// Verbs with their SQL bound. Holds no state in the core, so it never goes
// stale and needs no closing.
class Statement {
  #verbs

  constructor (verbs, sql) {
    if (typeof sql !== 'string') throw expected('UC_PARAM_TYPE', 'sql', 'a string', sql)
    this.#verbs = verbs
    this.sql = sql
  }

  get (params, opts) { return this.#verbs.get(this.sql, params, opts) }
  all (params, opts) { return this.#verbs.all(this.sql, params, opts) }
  values (params, opts) { return this.#verbs.values(this.sql, params, opts) }
  json (params, opts) { return this.#verbs.json(this.sql, params, opts) }
  iterate (params, opts) { return this.#verbs.iterate(this.sql, params, opts) }
  run (params, opts) { return this.#verbs.run(this.sql, params, opts) }
  many (rows, opts) { return this.#verbs.many(this.sql, rows, opts) }
}

module.exports = { Statement }
