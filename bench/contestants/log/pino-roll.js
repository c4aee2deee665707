'use strict'

// pino with pino-roll: as a transport in a worker thread, as its documentation
// has it, and as the stream that it also is. It compresses nothing.

const fs = require('node:fs')
const path = require('node:path')
const { once } = require('node:events')
const { versionOf } = require('../../lib/packages')
const { MESSAGE, fields } = require('../../lib/log-lines')

function contestant (name, about, destination) {
  return {
    name,
    family: 'roll',
    missing: () => null,
    about: () => about,
    version: () => versionOf('pino-roll'),
    async open (file, settings, { rotateBytes }) {
      const pino = require('pino')
      const dir = `${file}.logs`
      const stream = await destination(pino, {
        file: path.join(dir, 'app'), size: `${rotateBytes / 1024}k`, frequency: 'daily', mkdir: true
      })
      const logger = pino(stream)
      return {
        logger,
        log: i => logger.info(fields(i), MESSAGE),
        files: () => fs.readdirSync(dir).map(name => path.join(dir, name)),
        flush: async () => {},
        async close () {
          const closed = once(stream, 'close')
          stream.end()
          await closed
        }
      }
    }
  }
}

module.exports = [
  contestant('pino-roll', 'as a transport in a worker thread', async (pino, options) => {
    const stream = pino.transport({ target: 'pino-roll', options })
    await once(stream, 'ready')
    return stream
  }),
  contestant('pino-roll, stream', 'as a stream in the thread that logs', (pino, options) => require('pino-roll')(options))
]
