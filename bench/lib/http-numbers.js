'use strict'

// The numbers of the table world as they are in the file, whoever serves it.

const path = require('node:path')

const ROOT = path.join(__dirname, '../..')

/** -> () => a promise of Map(id -> number) */
function numbersIn (file) {
  return async () => {
    const { open } = require(ROOT)
    const store = open(file)
    try {
      return new Map(await store.db.values('select id, randomnumber from world'))
    } finally {
      await store.close()
    }
  }
}

module.exports = { numbersIn }
