'use strict'

// What differs between the engines by nature: each line of the list is as it says.

const { exact, failure } = require('../../helper')
const differs = require('../differs')

module.exports = (t, open) => {
  t.test('each difference has a name, a sentence and what to use instead', async (t) => {
    const names = differs.map(({ name }) => name)
    exact(t, names, [...new Set(names)], 'names are there once')
    for (const { name, what, instead, call, code, value } of differs) {
      t.ok(/\.$/.test(what) && instead.length > 3, name)
      t.equal(call === undefined, code === undefined && value === undefined, `${name}: what shows it and what comes of it`)
    }
  })

  for (const { name, call, code, value } of differs.filter(({ call }) => call !== undefined)) {
    t.test(`${name}: on PostgreSQL`, open.only('pg', 'SQLite has it'), async (t) => {
      const store = open(t)
      if (code === undefined) exact(t, await call(store.db, store), value, name)
      else {
        const err = await failure(async () => call(store.db, store))
        t.equal(err.code, code, `${err.message}`)
      }
      exact(t, await store.db.get('select 1 as v'), { v: 1 }, 'the handle goes on')
    })
  }
}
