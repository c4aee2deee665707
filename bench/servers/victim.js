'use strict'

// A service that logs until it is killed: cases/log/kills.js. It says in a file how
// many of its lines are to survive: those whose call has returned, or those of
// turns of the event loop that have ended.

const fs = require('node:fs')
const { doorOf } = require('../lib/doors')
const { turn } = require('../lib/log-rounds')

const TURN = 20

const job = JSON.parse(process.argv[2])
const contestant = doorOf('log').contestants.find(({ name }) => name === job.contestant)
const cell = Buffer.alloc(4)
const told = fs.openSync(job.told, 'r+')

function tell (count) {
  cell.writeUInt32LE(count)
  fs.writeSync(told, cell, 0, 4, 0)
}

async function start () {
  const lib = job.target
    ? await contestant.overDaemon(job.target, job.dir, job.options)
    : await contestant.open(job.file, job.settings)
  // The guarantee of a log behind a daemon begins when the daemon has answered.
  if (job.target) {
    lib.logger.info('begun')
    await lib.flush()
  }
  for (let n = 0; n < job.most;) {
    for (let i = 0; i < TURN && n < job.most; i++) {
      lib.log(job.first + n++)
      if (job.covers === 'call') tell(n)
    }
    await turn()
    if (job.covers === 'turn') tell(n)
  }
}

start()
setInterval(() => {}, 1000) // it ends by a kill only
