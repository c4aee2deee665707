'use strict'

// Everyone who takes part on PostgreSQL, in the order of the tables. The family 'pool' are drivers with a
// pool, as often as they have a size of it: which is best differs from case to case.
//
// What a pool is to a case:
//   all(text, values)     -> rows, by a prepared statement
//   transaction(fn)       fn(all) on one connection
//   copy(table, columns, rows)   COPY from text; iterate(text, each)   a cursor; null where it has none

const sizes = [4, 10]

// To see whether each program runs, one size is enough.
const sized = make => sizes.map(size => ({ ...make(size), notInSmoke: size !== sizes[0] }))

module.exports = [
  require('./undercroft'),
  ...sized(require('./postgres')),
  ...sized(require('./pg')),
  ...sized(require('./pg-pipeline')),
  ...sized(require('./pg-native')),
  ...sized(require('./bun'))
]
