'use strict'
// What routes there are, as the core has read them.

const { withDatabase } = require('../database')

/**
 * @param {string} dir of the *.sql files
 * @param {{ db: string|null, migrations: string|null }} target the database they are read against
 * @returns {Promise<object[]>} see docs/routes-tools.md
 * @throws {UndercroftError} UC_ROUTE: file, line and what is wrong there
 */
function describe (dir, target) {
  return withDatabase(target, async (store) => {
    const routes = store.routes(dir)
    await routes.ready
    return routes.list()
  })
}

module.exports = { describe }
