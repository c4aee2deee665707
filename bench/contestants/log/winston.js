'use strict'

// winston with its File transport and JSON, and the fields that the others have
// too.

const os = require('node:os')
const { versionOf } = require('../../lib/packages')
const { MESSAGE, fields } = require('../../lib/log-lines')

async function open (file) {
  const { createLogger, format, transports } = require('winston')
  const timed = format(info => {
    info.time = Date.now()
    return info
  })
  const transport = new transports.File({ filename: `${file}.log` })
  const logger = createLogger({
    format: format.combine(timed(), format.json()),
    defaultMeta: { pid: process.pid, hostname: os.hostname() },
    transports: [transport]
  })
  return {
    logger,
    log: i => logger.info(MESSAGE, fields(i)),
    files: () => [`${file}.log`],
    // It has no flush but its end: the bench waits for the file instead.
    flush: async () => {},
    close: () => new Promise(resolve => {
      transport.once('finish', resolve)
      logger.end()
    })
  }
}

module.exports = {
  name: 'winston',
  family: 'other',
  missing: () => null,
  about: () => 'its File transport',
  version: () => versionOf('winston'),
  open
}
