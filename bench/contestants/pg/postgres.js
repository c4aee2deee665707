'use strict'

// postgres.js, which pipelines by itself and prepares each statement once a connection.

const { Readable } = require('node:stream')
const { pipeline } = require('node:stream/promises')
const { versionOf } = require('../../lib/packages')
const { copyText } = require('../../lib/copy-text')

module.exports = max => ({
  name: `postgres.js, ${max}`,
  family: 'pool',
  missing: () => null,
  about: () => `a pool of ${max}`,
  async open (file, settings, more, { host, port, user, database }) {
    const postgres = require('postgres')
    // Bun takes the module for ECMAScript.
    const sql = (postgres.default ?? postgres)({ host, port, user, database, max, onnotice () {} })
    const all = (text, values = []) => sql.unsafe(text, values, { prepare: true })
    await all('select 1')
    return {
      all,
      transaction: fn => sql.begin(tx => fn((text, values = []) => tx.unsafe(text, values, { prepare: true }))),
      async copy (table, columns, rows) {
        const stream = await sql.unsafe(`copy ${table}(${columns}) from stdin`).writable()
        await pipeline(Readable.from(copyText(rows)), stream)
      },
      async iterate (text, each) {
        await sql.unsafe(text).cursor(1000, rows => { for (const row of rows) each(row) })
      },
      close: () => sql.end({ timeout: 5 })
    }
  },
  version: () => versionOf('postgres')
})
