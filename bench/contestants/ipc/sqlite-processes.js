'use strict'

// Several processes that open one file, each by itself, as services do that have
// no daemon. The case starts the processes, see lib/crew.js.

const betterSqlite3 = require('../better-sqlite3')
const bunSqlite = require('../bun-sqlite')

function contestant (library) {
  return {
    name: `${library.name} in each process`,
    family: 'processes',
    library: library.name,
    missing: library.missing,
    about: () => 'one connection in each process',
    open: (file, settings) => library.open(file, settings),
    version: library.version
  }
}

module.exports = [contestant(betterSqlite3), contestant(bunSqlite)]
