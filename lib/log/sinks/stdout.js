'use strict'

// Lines to a descriptor, by default that of stdout, each with a write of its own:
// when the call returns the line belongs to the kernel. On a terminal they are
// made readable.

const fs = require('node:fs')
const tty = require('node:tty')
const { pretty, wantsColours } = require('../pretty')

// How long a full pipe is waited for, a step at a time.
const STEP_MS = 5
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

  function write (line) {
    if (isBroken) {
      counts.dropped++
      return
    }
    const text = readable ? pretty(line, colours) : line
    try {
      const n = fs.writeSync(fd, text)
      counts.bytes += n
      if (n < text.length || (n !== text.length && n < Buffer.byteLength(text))) writeRest(Buffer.from(text), n)
    } catch (err) {
      failed(err, text)
      if (isBroken) return
    }
    counts.lines++
  }

  function failed (err, text) {
    if (err.code === 'EAGAIN') writeRest(Buffer.from(text), 0)
    else isBroken = true
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
        if (err.code !== 'EAGAIN') {
          isBroken = true
          return
        }
        // The rest of a line that has begun is not left out: it would spoil the next.
        if (waited >= options.blockMs && from === 0) {
          counts.dropped++
          counts.lines--
          return
        }
        if (waited >= 10 * Math.max(options.blockMs, 1000)) {
          isBroken = true
          return
        }
        Atomics.wait(clockless, 0, 0, STEP_MS)
        waited += STEP_MS
      }
    }
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
    async close () {}
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
    async flush () {
      if (!(stream.writableLength > 0) || stream.destroyed) return
      await new Promise((resolve) => {
        const over = () => {
          for (const event of ['drain', 'close', 'error']) stream.off(event, over)
          resolve()
        }
        for (const event of ['drain', 'close', 'error']) stream.on(event, over)
        stream.write('', over)
      })
    },
    flushSync () { return !(stream.writableLength > 0) },
    reopen () {},
    rotate () {},
    async stats () { return { ...counts } },
    async close () { await this.flush() }
  }
}

module.exports = { stdoutSink, streamSink }
