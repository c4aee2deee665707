'use strict'

// Bun.SQL, which pipelines by itself. It has neither COPY nor cursors.

module.exports = max => ({
  name: `Bun.SQL, ${max}`,
  family: 'pool',
  missing: () => process.versions.bun ? null : 'measured on Bun only',
  about: () => `a pool of ${max}`,
  async open (file, settings, more, { host, port, user, database }) {
    const { SQL } = require('bun')
    const sql = new SQL({ adapter: 'postgres', path: `${host}/.s.PGSQL.${port}`, username: user, database, max })
    const all = (text, values = []) => sql.unsafe(text, values)
    await all('select 1')
    return {
      all,
      transaction: fn => sql.begin(tx => fn((text, values = []) => tx.unsafe(text, values))),
      copy: null,
      iterate: null,
      close: () => sql.close()
    }
  },
  version: () => process.versions.bun
})
