'use strict'

// store.log: lines as JSON, as pino writes them, to a terminal, to stdout, to files
// through the core's ring, or to the log of a daemon.
//
//   info(…) ── logger.js: the line as text ──> one of log/sinks: write(line)
//                         or as bytes ──> its page: put(length)

const { builtin } = require('../base/builtin')
const os = builtin('node:os')
const fs = builtin('node:fs')
const tty = builtin('node:tty')
const { Logger, NO_SERIALIZERS } = require('./logger')
const { makeSink } = require('./sink')
const { styleOf } = require('./style')
const { levelOf } = require('./levels')

/** The logger of a handle, and where its lines go. */
class Log extends Logger {
  #core
  #gate
  #options
  #hup = null
  #closing = null

  /**
   * @param {object} options normalised, see log/options.js
   * @param {Client|null} client of a daemon, or null
   */
  constructor (options, client = null) {
    const gate = { level: levelOf(options.level, 'level', options.levels), owner: null }
    const core = makeCore(options, client)
    super(core, gate, '', rulesOf(options), options.msgPrefix)
    this.setBindings(baseOf(options))
    this.#core = core
    this.#gate = gate
    this.#options = options
    core.log = this
    core.sink.onLevel = (level) => { gate.level = level }
    this.#listen()
  }

  // logrotate and the like say by SIGHUP that the files were moved. Where there is a
  // terminal it says that the terminal is gone, and ends the process as it always did.
  #listen () {
    const { dir, reopenOnHup = !tty.isatty(0) } = this.#options
    if (dir === null || !reopenOnHup) return
    this.#hup = () => this.reopen()
    process.on('SIGHUP', this.#hup)
  }

  flushSync (opts = {}) {
    return this.#core.sink.flushSync(opts)
  }

  /** Opens the file anew, for who has moved it. */
  reopen () {
    this.#core.sink.reopen()
  }

  /** Begins the next file. */
  rotate () {
    this.#core.sink.rotate()
  }

  /** For pino(options, log.destination()): takes its lines as they are. */
  destination () {
    const core = this.#core
    return {
      // Asks pino for the level of each line.
      [Symbol.for('pino.metadata')]: true,
      lastLevel: 30,
      write (line) {
        const text = String(line)
        core.sink.write(text.endsWith('\n') ? text : text + '\n', this.lastLevel)
      },
      flush: (done) => { this.flush(done ?? (() => {})) },
      flushSync: () => { this.flushSync() },
      end () {}
    }
  }

  async stats () {
    return { ...await this.#core.sink.stats(), unreadable: this.#core.unreadable }
  }

  /**
   * @param {string|null} name null, with everywhere: each process has its own again
   * @param {{ everywhere?: boolean }} [opts] everywhere: in all processes of the daemon
   */
  async setLevel (name, { everywhere = false } = {}) {
    const { levels } = this.#options
    const level = name === null && everywhere ? null : levelOf(name, 'level', levels)
    this.#gate.level = level ?? levelOf(this.#options.level, 'level', levels)
    if (everywhere && this.#core.sink.setLevel !== undefined) await this.#core.sink.setLevel(level)
  }

  /** Flushes and ends. Lines after it go to stderr. Idempotent. */
  close () {
    if (this.#closing === null) this.#closing = this.#close()
    return this.#closing
  }

  async #close () {
    if (this.#hup !== null) process.off('SIGHUP', this.#hup)
    const { sink } = this.#core
    this.#core.sink = late(sink)
    this.#core.page = null
    await sink.close()
  }
}

function makeCore (options, client) {
  let hasFailed = false
  const sink = makeSink(options, client)
  return {
    sink,
    page: sink.page ?? null,
    levels: options.levels,
    customLevels: options.customLevels,
    maxLineBytes: options.maxLineBytes,
    // Lines of which something could not be read at all.
    unreadable: 0,
    // No line of so many characters is too long, whatever they are.
    safeLength: Math.floor(options.maxLineBytes / 3),
    // A logger never throws into its caller.
    failed (err) {
      if (hasFailed) return
      hasFailed = true
      try {
        fs.writeSync(2, `undercroft: a line of the log could not be written: ${err?.stack ?? err}\n`)
      } catch {
        // There is nobody to tell.
      }
    }
  }
}

// null: nothing of a line is asked for to be otherwise, and it goes the short way.
function rulesOf (options) {
  const { redact, serializers } = options
  const style = styleOf(options, serializers ?? NO_SERIALIZERS, redact)
  return redact === null && serializers === null && style === null ? null : { redact, serializers: serializers ?? NO_SERIALIZERS, style }
}

function baseOf ({ base, name, formatters }) {
  if (base === null) return {}
  const fields = base === undefined ? { pid: process.pid, hostname: os.hostname() } : { ...base }
  if (name !== null) fields.name = name
  return formatters.bindings === undefined ? fields : Object(formatters.bindings(fields))
}

// What is said after the end is not lost without a word.
function late (sink) {
  return {
    ...sink,
    write (line) {
      try {
        fs.writeSync(2, line)
      } catch {
        // There is nobody to tell.
      }
    },
    async flush () {},
    flushSync () { return true },
    reopen () {},
    rotate () {},
    async close () {}
  }
}

module.exports = { Log }
