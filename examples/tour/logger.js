'use strict'

// logger - the program that the tour kills while it logs: a line after the other, and how many
// calls have returned.

const { writeSync } = require('node:fs')
const { open } = require('undercroft')

const { log } = open({ log: { dir: process.argv[2], file: 'tour' } })
const A_TURN = 100
let n = 0

function turn () {
  for (let i = 0; i < A_TURN; i++) log.info({ n: ++n, url: '/city/2988507', status: 200 }, 'request done')
  writeSync(1, `${n}\n`)
  setImmediate(turn)
}

turn()
