'use strict'

// What a deployment says while it works: plain lines on stderr, a bar where stderr is a terminal, and with
// --json one event a line on stdout. The answer of an action (the table of status, the plan) goes to stdout.

const { bytes } = require('../lib/base/format')

// A bar is drawn anew so often at most; where there is none, progress is a line so often.
const DRAW_MS = 100
const LINE_MS = 5000
const BAR = 24

/**
 * @param {object} [options]
 * @param {boolean} [options.json]
 * @param {object} [options.out] a stream for answers and events
 * @param {object} [options.err] a stream for what is said
 * @param {boolean} [options.bar] whether err can show a bar; default: when it is a terminal
 * @param {Function} [options.now] -> ms
 */
class Report {
  #json
  #out
  #err
  #hasBar
  #now
  #bars = new Map() // host -> its last progress
  #drawn = 0 // lines of bars on the screen
  #last = new Map() // host -> when progress was last shown
  #timer = null

  constructor ({ json = false, out = process.stdout, err = process.stderr, bar = err.isTTY === true && process.env.TERM !== 'dumb', now = Date.now } = {}) {
    this.#json = json
    this.#out = out
    this.#err = err
    this.#hasBar = bar && !json
    this.#now = now
    // Nobody may be listening any more: that must not end a deployment half-way.
    for (const stream of [out, err]) stream.on?.('error', ignoreClosed)
  }

  get isJson () {
    return this.#json
  }

  /** A stage begins: said before its first effect. */
  stage (host, stage, text = stage) {
    this.#finish(host)
    if (this.#json) return this.event({ host, stage })
    this.#say(host, text)
  }

  /** Something worth a line. */
  say (host, text) {
    if (this.#json) return this.event({ host, say: text })
    this.#say(host, text)
  }

  warn (host, text) {
    if (this.#json) return this.event({ host, warning: text })
    this.#say(host, `warning: ${text}`)
  }

  /** @param {object} done { files, bytes, ofFiles, ofBytes }; the last one has files === ofFiles and bytes === ofBytes */
  progress (host, done) {
    const isLast = done.bytes >= done.ofBytes && done.files >= done.ofFiles
    const since = this.#now() - (this.#last.get(host) ?? -Infinity)
    if (!isLast && since < (this.#hasBar ? DRAW_MS : LINE_MS)) return
    this.#last.set(host, this.#now())
    if (this.#json) return this.event({ host, progress: done })
    if (!this.#hasBar) return this.#say(host, amount(done))
    this.#bars.set(host, done)
    this.#draw()
  }

  /** One event of --json; elsewhere it is not shown. */
  event (event) {
    if (this.#json) this.#out.write(`${JSON.stringify({ at: new Date(this.#now()).toISOString(), ...event })}\n`)
  }

  /** The answer of the action: a value for --json, text for people. */
  answer (value, text) {
    this.#clear()
    if (this.#json) this.event({ answer: value })
    else if (text !== undefined && text !== '') this.#out.write(`${text}\n`)
  }

  /** A failure, with host, stage and what to do. */
  error (err) {
    this.#clear()
    if (this.#json) return this.event({ error: typeof err.toJSON === 'function' ? err.toJSON() : { code: err.code, message: err.message } })
    this.#err.write(`${explain(err)}\n`)
  }

  end () {
    this.#clear()
    clearTimeout(this.#timer)
  }

  #say (host, text) {
    this.#clear()
    for (const line of String(text).split('\n')) this.#err.write(`${host === null || host === undefined ? '' : `${host}  `}${printable(line)}\n`)
    if (this.#bars.size > 0) this.#draw()
  }

  // The bar of a host whose next stage begins stays as a line.
  #finish (host) {
    if (!this.#bars.has(host)) return
    this.#clear()
    this.#err.write(`${host}  ${amount(this.#bars.get(host))}\n`)
    this.#bars.delete(host)
  }

  #clear () {
    if (this.#drawn > 0) this.#err.write(`\x1b[${this.#drawn}A\x1b[J`)
    this.#drawn = 0
  }

  #draw () {
    this.#clear()
    const width = Math.max(20, (this.#err.columns || 80) - 1)
    const lines = Array.from(this.#bars, ([host, done]) => `${host}  ${bar(done)} ${amount(done)}`.slice(0, width))
    this.#err.write(lines.map((line) => `${line}\n`).join(''))
    this.#drawn = lines.length
  }
}

function ignoreClosed (err) {
  if (err.code !== 'EPIPE' && err.code !== 'ERR_STREAM_DESTROYED') throw err
}

function bar ({ bytes, ofBytes, files, ofFiles }) {
  const part = ofBytes > 0 ? bytes / ofBytes : ofFiles > 0 ? files / ofFiles : 1
  const full = Math.round(Math.min(1, part) * BAR)
  return `[${'='.repeat(full)}${' '.repeat(BAR - full)}]`
}

function amount ({ files, ofFiles, bytes: sent, ofBytes }) {
  const percent = ofBytes > 0 ? Math.floor(100 * sent / ofBytes) : 100
  return `${files} of ${ofFiles} files, ${bytes(sent)} of ${bytes(ofBytes)} (${percent} %)`
}

// What a host sends is text for a terminal only after its control characters are gone.
function printable (text) {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '\ufffd')
}

/** An error in the words of a person, with the hosts that are finished and those that were not begun. */
function explain (err) {
  const out = [typeof err.describe === 'function' ? err.describe() : `${err.message} (${err.code})`]
  if (err.done?.length) out.push(`finished: ${err.done.join(', ')}`)
  if (err.left?.length) out.push(`not begun: ${err.left.join(', ')}`)
  return out.join('\n').split('\n').map(printable).join('\n')
}

module.exports = { Report, explain, printable }
