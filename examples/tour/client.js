'use strict'

// One of several processes that write through one daemon: says the id of each row when its write
// was acknowledged, until it is told to stop. Its part of the tour kills the daemon meanwhile.
//
//   node examples/tour/client.js ipc:///path/to/socket ledger.db name

const { open } = require('undercroft')

const IN_FLIGHT = 16
const [target, file, name] = process.argv.slice(2)

const store = open(target, { spawn: { db: file } })
const { db } = store
let last = 0
const state = { stopped: false }

// A write whose answer was lost with the connection is made again under its key: if it had been
// done already, this answers as it did then.
async function write (id) {
  for (;;) {
    try {
      return await db.run('insert into ledger(who, id) values (?, ?)', [name, id], { once: `${name}-${id}` })
    } catch (err) {
      if (err.kind !== 'connection') throw err
    }
  }
}

async function work () {
  while (!state.stopped) {
    const id = ++last
    await write(id)
    process.stdout.write(`${id}\n`)
  }
}

function stop () {
  state.stopped = true
}

async function main () {
  process.stdin.on('data', stop).on('end', stop)
  await Promise.all(Array.from({ length: IN_FLIGHT }, work))
  process.stdin.destroy()
  await store.close()
}

main().catch((err) => {
  console.error(err)
  process.exitCode = 1
  process.stdin.destroy()
})
