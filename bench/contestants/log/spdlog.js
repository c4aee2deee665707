'use strict'

// npm spdlog, which goes by the name @vscode/spdlog now: spdlog's rotating file
// behind Node-API. It takes a text, so the JSON is made by the caller, as its
// users do. A logger is asynchronous when it is called 'rotating_async'.

const os = require('node:os')
const { versionOf } = require('../../lib/packages')
const { MESSAGE, fields } = require('../../lib/log-lines')

const NEVER = 2 ** 40 // bytes: rotation is another case
const OFF = 6 // a level that nothing is logged with: no flush for each line

function missing () {
  try {
    require('@vscode/spdlog')
    return null
  } catch (err) {
    return `it is not built for this runtime: npm run bench -- --setup (${err.message.split('\n')[0]})`
  }
}

function contestant (name, about, loggerName) {
  return {
    name,
    family: 'other',
    missing,
    about: () => about,
    version: () => versionOf('@vscode/spdlog'),
    async open (file) {
      const spdlog = require('@vscode/spdlog')
      const pid = process.pid
      const hostname = os.hostname()
      spdlog.setFlushOn(OFF)
      const create = loggerName === 'rotating_async' ? 'createAsyncRotatingLogger' : 'createRotatingLogger'
      const logger = await spdlog[create](loggerName, `${file}.log`, NEVER, 1)
      logger.clearFormatters() // the text as it is, without a newline
      const text = ({ reqId, method, url, status, ms }) => `${JSON.stringify({
        level: 30, time: Date.now(), pid, hostname, reqId, method, url, status, ms, msg: MESSAGE
      })}\n`
      return {
        logger,
        log: i => logger.info(text(fields(i))),
        files: () => [`${file}.log`],
        flush: async () => { logger.flush() },
        close: async () => { logger.drop() }
      }
    }
  }
}

module.exports = [
  contestant('spdlog', 'its rotating file, synchronous', 'bench'),
  contestant('spdlog, async', 'the same behind its thread', 'rotating_async')
]
