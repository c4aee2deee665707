'use strict'
// What one engine has and the other has not, by nature: the list behind docs/postgres.md.
//
//   name    how suites refer to it: open.only('sqlite', name)
//   what    why the other has none, as the documentation says it
//   instead what to use there
//   only    the engine that has it
//   call    (db, store) => a call that needs it
//   code    what the other answers to that

module.exports = [
  {
    name: 'blocking',
    only: 'sqlite',
    what: 'blocking calls would hold the event loop for a round trip over the network',
    instead: 'the same verbs of `db`, awaited',
    call: (db) => db.sync.get('select 1'),
    code: 'UC_SYNC_UNAVAILABLE'
  }
]
