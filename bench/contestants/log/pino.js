'use strict'

// pino with its three documented ways to a file: a synchronous destination, which
// writes each line before the call returns and so alone survives SIGKILL; an
// asynchronous one that gathers 4096 bytes; and a transport in a worker thread.

const { once } = require('node:events')
const { versionOf } = require('../../lib/packages')
const { MESSAGE, fields } = require('../../lib/log-lines')

function contestant (name, about, destination) {
  return {
    name,
    family: 'pino',
    missing: () => null,
    about: () => about,
    version: () => versionOf('pino'),
    async open (file) {
      const pino = require('pino')
      const stream = await destination(pino, `${file}.log`)
      const logger = pino(stream)
      return {
        logger,
        log: i => logger.info(fields(i), MESSAGE),
        files: () => [`${file}.log`],
        // A flush during a write ends with that write, and less than minLength
        // may be left behind it: the second one takes that along.
        async flush () {
          await flushed(logger)
          await flushed(logger)
        },
        async close () {
          const closed = once(stream, 'close')
          stream.end()
          await closed
        }
      }
    }
  }
}

function flushed (logger) {
  return new Promise((resolve, reject) => logger.flush(err => err ? reject(err) : resolve()))
}

async function opened (stream) {
  if (stream.fd < 0) await once(stream, 'ready')
  return stream
}

module.exports = [
  contestant('pino', 'synchronous', (pino, dest) =>
    opened(pino.destination({ dest, sync: true }))),
  contestant('pino, async', 'minLength 4096, asynchronous', (pino, dest) =>
    opened(pino.destination({ dest, minLength: 4096, sync: false }))),
  contestant('pino, transport', 'pino/file in a worker thread', async (pino, destination) => {
    const stream = pino.transport({ target: 'pino/file', options: { destination } })
    await once(stream, 'ready')
    return stream
  })
]
