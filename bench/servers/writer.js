'use strict'

// One of several processes that write lines: lib/crew.js says when. Ends when the
// process that started it goes.

const { doorOf } = require('../lib/doors')
const { now } = require('../lib/loop')
const { TURN, turn } = require('../lib/log-rounds')

const job = JSON.parse(process.argv[2])
const contestant = doorOf('log').contestants.find(({ name }) => name === job.contestant)
// Each process has numbers of its own.
const first = job.number * job.apart

let lib
let next = first

const commands = {
  async open () {
    lib = job.target
      ? await contestant.overDaemon(job.target, job.dir, job.options)
      : await contestant.open(job.file, job.settings)
    return {}
  },

  async some ({ count }) {
    const from = next
    for (let i = 0; i < count; i++) lib.log(next++)
    await lib.flush()
    return { from, count }
  },

  async round ({ ms }) {
    const from = next
    const start = now()
    do {
      for (let i = 0; i < TURN; i++) lib.log(next++)
      await turn()
    } while (now() - start < ms)
    await lib.flush()
    return { from, count: next - from }
  }
}

process.on('message', async command => {
  try {
    process.send({ ok: await commands[command.name](command) })
  } catch (err) {
    process.send({ error: err.stack })
  }
})
process.on('disconnect', async () => {
  if (lib) await lib.close()
  process.exit(0)
})
