'use strict'

// Another process that writes to the file: it raises a number for each message, and says which it is
// now. A message with sql runs that instead.

const { open } = require('../..')

const { db, close } = open(process.argv[2])

async function answer ({ id, sql }) {
  if (sql !== undefined) await db.exec(sql)
  const row = sql === undefined ? await db.get('update number set n = n + 1 where id = ? returning n', [id]) : null
  process.send({ n: row?.n })
}

process.on('message', answer)
process.on('disconnect', close)
process.send({ ready: true })
