'use strict'

// Another process on the database of the tour: changes one row and says when that was acknowledged.
//
//   node examples/tour/other.js ipc:///path/to/socket name

const { open } = require('undercroft')

const [target, name] = process.argv.slice(2)

async function main () {
  const store = open(target)
  await store.db.run('update price set cents = cents + 100 where name = ?', [name])
  console.log('acknowledged')
  await store.close()
}

main().catch((err) => {
  console.error(err)
  process.exitCode = 1
})
