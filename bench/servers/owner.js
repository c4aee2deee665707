'use strict'

// Owns a directory of the log and does nothing else. Ends when the process that
// started it goes.

const { inDirectory } = require('../contestants/log/undercroft')

const lib = inDirectory(process.argv[2], JSON.parse(process.argv[3]))

async function start () {
  lib.logger.info('the owner')
  await lib.flush()
  process.send('ready')
}

process.on('disconnect', async () => {
  await lib.close()
  process.exit(0)
})
start()
