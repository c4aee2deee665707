'use strict'

// Lines into the ring of this process, in the log's directory: a file in memory
// that outlives the process, which whoever owns the directory writes into files.
// A line is one call; when it returns the line survives.

const { load } = require('../../base/binding')
const { Writer } = require('../../wire/encode')
const { UndercroftError } = require('../../base/errors')
const { toCore } = require('../options')
const { Page } = require('../page')

const FLUSH_MS = 10000
// How long the end of a handle may take.
const CLOSE_MS = 2000
const LATE_MS = 50
// Of what put answers: 0 done, 1 dropped, 2 too large, 3 closed.
const TOO_LARGE = 2

/**
 * @param {object} options of the log, normalised
 * @returns {object} see ../sink.js
 * @throws {UndercroftError} UC_NO_ADDON, UC_OPTION, UC_OPTIONS_CONFLICT, UC_ACCESS, UC_LOG_IO
 */
function ringSink (options) {
  const native = openLog(options)
  let closed = false

  function write (line) {
    // What was dropped, also because it is too long, the core counts and tells.
    const result = native.put(line)
    if (result > TOO_LARGE) lost(line)
  }

  const page = new Page(length => {
    const result = native.putBytes(length)
    if (result > TOO_LARGE) lost(page.bytes.toString('utf8', 0, length))
  })
  native.attach(page.bytes)

  async function flush ({ sync = false, timeoutMs = FLUSH_MS } = {}) {
    if (closed || await within(timeoutMs, native.flush(timeoutMs, sync))) return
    const { error } = native.stats() ?? { error: '' }
    throw error !== ''
      ? new UndercroftError('UC_LOG_IO', `the log cannot be written: ${error}; what it has taken it keeps`)
      : new UndercroftError('UC_TIMEOUT', `the log was not written within ${timeoutMs} ms; what it has taken it keeps`)
  }

  return {
    survives: 'sigkill',
    onLevel: null,
    write,
    page,
    flush,
    flushSync ({ sync = false, timeoutMs = FLUSH_MS } = {}) {
      return closed || native.flushSync(timeoutMs, sync)
    },
    reopen () { native.reopen() },
    rotate () { native.rotate() },
    async stats () {
      const stats = native.stats()
      return { sink: 'ring', dir: options.dir, ...stats, dropped: stats?.dropped ?? 0 }
    },
    async close () {
      if (closed) return
      const until = performance.now() + CLOSE_MS
      try {
        await flush({ timeoutMs: CLOSE_MS })
      } catch {
        // The ring keeps them for who comes next.
      }
      closed = true
      await within(CLOSE_MS, native.close(Math.max(0, Math.ceil(until - performance.now()))))
    }
  }
}

// The thread that answers keeps the deadline itself, unless it waits for a disk that does not
// answer. The timer also keeps the process meanwhile.
async function within (ms, answer) {
  let timer
  const late = new Promise(resolve => { timer = setTimeout(resolve, ms + LATE_MS, false) })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

// A handle that was closed under somebody who still writes.
function lost (line) {
  try {
    process.stderr.write(line)
  } catch {
    // There is nobody to tell.
  }
}

function openLog (options) {
  const addon = load()
  try {
    return addon.openLog(encode(options))
  } catch (err) {
    throw err instanceof TypeError ? err : new UndercroftError(err.code ?? 'UC_INTERNAL', err.message)
  }
}

/** Writes what processes that have died left in their rings, where nobody else does. */
function recover (options) {
  try {
    load().recoverLog(encode(options))
  } catch (err) {
    throw new UndercroftError(err.code ?? 'UC_INTERNAL', err.message)
  }
}

function encode (options) {
  const w = new Writer(1024)
  w.any(toCore(options))
  return w.buf.subarray(0, w.pos)
}

module.exports = { ringSink, recover }
