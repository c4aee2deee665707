'use strict'
// What routes there are, as the core has read them.

const { withDatabase } = require('../database')

/**
 * @param {string} dir of the *.sql files
 * @param {{ db: string|null, migrations: string|null }} target the database they are read against
 * @param {{ check?: boolean }} [options] check: the plans of statements are looked at as well
 * @returns {Promise<object[]>} see docs/routes-tools.md
 * @throws {UndercroftError} UC_ROUTE: file, line and what is wrong there
 */
function describe (dir, target, { check = false } = {}) {
  return withDatabase(target, async (store) => {
    const routes = store.routes(dir, { check })
    await routes.ready
    return routes.list().map(plain)
  })
}

// Bounds of 64 bits, of which JSON and JavaScript's numbers know the nearest.
function plain (value) {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}

module.exports = { describe }
