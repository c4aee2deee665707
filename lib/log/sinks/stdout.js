'use strict'

// Lines to a descriptor, by default that of stdout, each with a write of its own:
// when the call returns the line belongs to the kernel. On a terminal they are
// made readable.

const { builtin } = require('../../base/builtin')
const fs = builtin('node:fs')
const tty = builtin('node:tty')
const { UndercroftError } = require('../../base/errors')
const { missing } = require('../note')
const { pretty, wantsColours } = require('../pretty')

// How long a full pipe is waited for, a step at a time.
const STEP_MS = 5
// What does not pass: nobody reads, the descriptor was closed, the terminal is gone.
const FOR_EVER = new Set(['EPIPE', 'EBADF', 'EIO'])
// Between two attempts after another failure: doubled from one to the other.
const AGAIN_MS = 100
const AGAIN_MAX_MS = 10000
const FLUSH_MS = 10000
// How long the end of a handle may take.
const CLOSE_MS = 2000
const clockless = new Int32Array(new SharedArrayBuffer(4))

/**
 * @param {number} fd
 * @param {{ pretty: boolean|'auto', blockMs: number }} options
 */
function stdoutSink (fd, options) {
  const isTerminal = tty.isatty(fd)
  const readable = options.pretty === 'auto' ? isTerminal : options.pretty
  const colours = readable && wantsColours(isTerminal)
  const counts = { sink: 'stdout', lines: 0, bytes: 0, dropped: 0 }
  // Nobody reads any more, or nothing may be written.
  let isBroken = false
  // Lines that were dropped since the last one that was written.
  let gone = 0
  // After a failure that may pass, such as a full disk: when it is tried again, 0: at
  // once, and how long that was waited for.
  let againAt = 0
  let waitMs = 0
  // The last line has no end.
  let isTorn = false

  function write (line) {
    if (isBroken || (againAt !== 0 && performance.now() < againAt)) drop()
    else if (gone > 0 && !tell()) drop()
    else if (put(line)) counts.lines++
    else drop()
  }

  function drop () {
    counts.dropped++
    gone++
  }

  // How many are missing, in front of the next line that is written.
  function tell () {
    if (!put(missing(gone, 'they could not be written'))) return false
    gone = 0
    return true
  }

  // -> whether all of it is with the kernel
  function put (line) {
    let text = readable ? pretty(line, colours) : line
    if (isTorn) text = '\n' + text
    try {
      const n = fs.writeSync(fd, text)
      counts.bytes += n
      if (n < text.length || (n !== text.length && n < Buffer.byteLength(text))) return writeRest(Buffer.from(text), n)
    } catch (err) {
      return err.code === 'EAGAIN' ? writeRest(Buffer.from(text), 0) : failed(err)
    }
    isTorn = false
    againAt = 0
    return true
  }

  function failed (err) {
    if (FOR_EVER.has(err.code)) {
      isBroken = true
      return false
    }
    if (againAt === 0) say(`the log cannot be written to descriptor ${fd}: ${err.message}; lines are dropped until it can`)
    waitMs = againAt === 0 ? AGAIN_MS : Math.min(AGAIN_MAX_MS, 2 * waitMs)
    againAt = performance.now() + waitMs
    return false
  }

  // A pipe that is not blocking and full: waits until its reader goes on.
  function writeRest (bytes, from) {
    let waited = 0
    while (from < bytes.length) {
      try {
        const n = fs.writeSync(fd, bytes, from)
        from += n
        counts.bytes += n
        waited = 0
      } catch (err) {
        // The rest of a line that has begun is waited for longer: it would spoil the next.
        const isLate = err.code !== 'EAGAIN' || waited >= (from === 0 ? options.blockMs : 10 * Math.max(options.blockMs, 1000))
        if (isLate) {
          if (from > 0) isTorn = true
          return err.code === 'EAGAIN' && from === 0 ? false : failed(err)
        }
        Atomics.wait(clockless, 0, 0, STEP_MS)
        waited += STEP_MS
      }
    }
    isTorn = false
    againAt = 0
    return true
  }

  return {
    survives: 'sigkill',
    onLevel: null,
    write,
    async flush ({ sync = false } = {}) {
      if (sync) syncQuietly(fd)
    },
    flushSync ({ sync = false } = {}) {
      if (sync) syncQuietly(fd)
      return true
    },
    reopen () {},
    rotate () {},
    async stats () { return { ...counts } },
    async close () {
      if (gone > 0 && !isBroken) tell()
    }
  }
}

function say (text) {
  try {
    fs.writeSync(2, `undercroft: ${text}\n`)
  } catch {
    // There is nobody to tell.
  }
}

// A pipe or a terminal cannot be synced.
function syncQuietly (fd) {
  try {
    fs.fsyncSync(fd)
  } catch {
    // Nothing to be sure of.
  }
}

/**
 * Lines to a stream of the caller's.
 *
 * @param {{ write: Function }} stream
 */
function streamSink (stream, options) {
  const readable = options.pretty === true
  const counts = { sink: 'stream', lines: 0, dropped: 0 }
  return {
    survives: 'nothing',
    onLevel: null,
    write (line) {
      try {
        stream.write(readable ? pretty(line, false) : line)
        counts.lines++
      } catch {
        counts.dropped++
      }
    },
    async flush ({ timeoutMs = FLUSH_MS } = {}) {
      if (!(stream.writableLength > 0) || stream.destroyed) return
      await new Promise((resolve, reject) => {
        const leave = () => {
          clearTimeout(timer)
          for (const event of ['drain', 'close', 'error']) stream.off(event, over)
        }
        const over = () => {
          leave()
          resolve()
        }
        const timer = setTimeout(() => {
          leave()
          reject(new UndercroftError('UC_TIMEOUT', `the stream of the log did not take its lines within ${timeoutMs} ms; it keeps them`))
        }, timeoutMs)
        for (const event of ['drain', 'close', 'error']) stream.on(event, over)
        stream.write('', over)
      })
    },
    flushSync () { return !(stream.writableLength > 0) },
    reopen () {},
    rotate () {},
    async stats () { return { ...counts } },
    async close () {
      try {
        await this.flush({ timeoutMs: CLOSE_MS })
      } catch {
        // The stream keeps them; its owner may wait longer.
      }
    }
  }
}

module.exports = { stdoutSink, streamSink }
