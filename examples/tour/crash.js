'use strict'

// crash - the program that the tour kills: writes rows for ever, and says of each that it is
// acknowledged only once the database has said so.

const { writeSync } = require('node:fs')
const { open } = require('undercroft')

const { db } = open(process.argv[2])

async function main () {
  await db.exec('create table if not exists ledger (id integer primary key, text text)')
  const insert = db.prepare('insert into ledger values (?, ?)')
  let next = 1
  async function client () {
    for (;;) {
      const id = next++
      await insert.run([id, `entry ${id}`])
      writeSync(1, `${id}\n`)
    }
  }
  await Promise.all(Array.from({ length: 32 }, client))
}

main().catch((err) => {
  console.error(err)
  process.exit(1)
})
