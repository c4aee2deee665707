'use strict'

// pg in its pipeline mode. Its pool hands a connection to one query at a time, so that the connections are
// taken in turn here, as its documentation has it; a transaction has one of its own beside them.

const { named, openPool } = require('../../lib/pg-pool')

module.exports = max => ({
  name: `pg, pipelined, ${max}`,
  family: 'pool',
  missing: () => null,
  about: () => `${max} connections`,
  async open (file, settings, more, service) {
    const pg = require('pg')
    const { host, port, user, database } = service
    const clients = Array.from({ length: max }, () => new pg.Client({ host, port, user, database, pipeline: true }))
    await Promise.all(clients.map(client => client.connect()))
    const pool = await openPool(pg, max, service)
    let next = 0
    return {
      ...pool,
      all: async (text, values) => (await clients[next++ % max].query(named(text, values))).rows,
      close: async () => {
        await Promise.all(clients.map(client => client.end()))
        await pool.close()
      }
    }
  },
  version: () => require('pg/package.json').version
})
