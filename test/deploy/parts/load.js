'use strict'

// A constant load, and the checker of its answers, in a process of its own: what the test
// does meanwhile neither slows it nor hides a gap. It speaks HTTP/1.1 by itself: a client
// library would repeat a request, or drop bytes that nobody asked for, without a word.
//
//   const load = await startLoad({ url })
//   …
//   const seen = await load.stop(async () => numbers of all orders in the database)
//
// Each order carries a number that is used once. seen: {
//   requests, gets, posts       sent, and answered rightly unless they failed
//   failed, failures            no answer, a part of one, a wrong status or a wrong body; the first few of them
//   twice                       answers, or pieces of them, that came without a request
//   lost, double                orders that were answered and are not in the database; orders that are there twice
//   releases                    how many answers came of each release
// }

const net = require('node:net')
const path = require('node:path')
const { fork } = require('node:child_process')

const ANSWER_MS = 15_000
const FAILURES_KEPT = 20
const MAX_ANSWER = 1 << 20
// Well below the keep-alive of the gateways in the tests, which is 1 s.
const IDLE_MS = 300

/**
 * @param {object} load
 * @param {string} load.url of the gateway
 * @param {number} [load.keepAlive] connections that are used again and again
 * @param {number} [load.oneShot] clients that connect for each request
 * @param {number} [load.everyMs] how long each of them pauses between two requests
 * @param {number} [load.base] the first number
 * @param {boolean} [load.routes] orders are routes, which know no 201 and no path with a number in it
 */
async function startLoad (load) {
  const proc = fork(path.join(__dirname, 'load.js'), [JSON.stringify(load)], { execArgv: [], serialization: 'advanced' })
  const messages = []
  let wake = () => {}
  const ended = new Promise(resolve => {
    proc.on('exit', (code, signal) => resolve(`the load has ended (${signal ?? code})`))
  })
  proc.on('message', message => {
    messages.push(message)
    wake()
  })
  const next = async name => {
    for (;;) {
      const at = messages.findIndex(message => Object.hasOwn(message, name))
      if (at >= 0) return messages.splice(at, 1)[0][name]
      const why = await Promise.race([ended, new Promise(resolve => { wake = resolve })])
      if (why) throw new Error(why)
    }
  }
  await next('running')
  return {
    pid: proc.pid,
    /** The counts up to now. */
    async peek () {
      proc.send('peek')
      return next('counts')
    },
    /** The rightly answered requests are at least `more` more than at the time of the call. */
    async goOn (more = 20) {
      const count = async () => {
        const { requests, failed } = await this.peek()
        return requests - failed
      }
      for (const enough = await count() + more; await count() < enough;) {
        await new Promise(resolve => { setTimeout(resolve, 20) })
      }
    },
    /** @param {() => Promise<number[]>} [numbers] all that are in the database, after the end of the load */
    async stop (numbers) {
      proc.send('stop')
      const { counts, answered } = await next('end')
      proc.kill()
      if (numbers === undefined) return counts
      return { ...counts, ...compare(answered, await numbers()) }
    },
    kill: () => proc.kill('SIGKILL')
  }
}

function compare (answered, stored) {
  const times = new Map()
  for (const number of stored) times.set(number, (times.get(number) ?? 0) + 1)
  const lost = answered.filter(number => !times.has(number))
  return { lost: lost.length, double: [...times.values()].filter(n => n > 1).length }
}

// ---- in the process of its own ---------------------------------------------------------

/** One connection, at most one request at a time. */
class Connection {
  #socket
  #bytes = Buffer.alloc(0)
  #wanted = null
  #idleSince = performance.now()
  isOpen = true
  // Bytes that nobody asked for.
  extra = 0

  constructor (host, port) {
    this.#socket = net.connect(port, host)
    this.#socket.setNoDelay(true)
    this.#socket.on('data', data => { this.#take(data) })
    this.#socket.on('error', err => { this.#over(err.code ?? err.message) })
    this.#socket.on('close', () => { this.#over('closed before the answer was complete') })
  }

  // The gateway may have closed it for being idle, and a process that was held up has not read that yet.
  get isStale () { return performance.now() - this.#idleSince > IDLE_MS }

  /** -> { status, body, isLast }; rejects with what went wrong */
  ask (method, target, host, { body = null, close = false } = {}) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => { this.#over(`no answer in ${ANSWER_MS} ms`) }, ANSWER_MS)
      this.#wanted = { resolve, reject, timer }
      const head = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...(close ? ['Connection: close'] : []),
        ...(body === null ? [] : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`])]
      this.#socket.write(`${head.join('\r\n')}\r\n\r\n${body ?? ''}`)
    })
  }

  close () {
    this.isOpen = false
    this.#socket.destroy()
  }

  #take (data) {
    if (this.#wanted === null) {
      this.extra += data.length
      return
    }
    this.#bytes = Buffer.concat([this.#bytes, data])
    const answer = parse(this.#bytes)
    if (answer === null) {
      if (this.#bytes.length > MAX_ANSWER) this.#over('an answer without an end')
      return
    }
    const { resolve, timer } = this.#wanted
    clearTimeout(timer)
    this.#wanted = null
    this.#idleSince = performance.now()
    this.extra += this.#bytes.length - answer.end
    this.#bytes = Buffer.alloc(0)
    resolve(answer)
  }

  #over (why) {
    this.close()
    if (this.#wanted === null) return
    const { reject, timer } = this.#wanted
    clearTimeout(timer)
    this.#wanted = null
    reject(new Error(why))
  }
}

// -> null while it is not complete (RFC 9112, section 6)
function parse (bytes) {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const [first, ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n')
  const headers = new Map(lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]))
  const status = Number(first.split(' ')[1])
  const isLast = headers.get('connection') === 'close'
  const start = headEnd + 4
  if (headers.get('transfer-encoding') === 'chunked') {
    let at = start
    let body = ''
    for (;;) {
      const lineEnd = bytes.indexOf('\r\n', at)
      if (lineEnd < 0) return null
      const size = parseInt(bytes.toString('latin1', at, lineEnd), 16)
      const next = lineEnd + 2 + size + 2
      if (bytes.length < next) return null
      if (size === 0) return { status, body, isLast, end: next }
      body += bytes.toString('utf8', lineEnd + 2, next - 2)
      at = next
    }
  }
  const end = start + Number(headers.get('content-length') ?? 0)
  if (bytes.length < end) return null
  return { status, body: bytes.toString('utf8', start, end), isLast, end }
}

class Load {
  #url
  #next
  #everyMs
  #routes
  #isOver = false
  counts = { requests: 0, gets: 0, posts: 0, failed: 0, failures: [], twice: 0, releases: {} }
  answered = []

  constructor ({ url, base = 1, everyMs = 15, routes = false }) {
    this.#url = new URL(url)
    this.#next = base
    this.#everyMs = everyMs
    this.#routes = routes
  }

  /** Ends what is under way. */
  stop () {
    this.#isOver = true
  }

  async client (isOneShot) {
    let connection = null
    // Of those that this client knows to be taken.
    let mine = null
    for (let turn = 0; !this.#isOver; turn++) {
      // The request is written before anything else runs.
      if (isOneShot || !connection?.isOpen || connection.isStale) {
        this.#leave(connection)
        connection = new Connection(this.#url.hostname, Number(this.#url.port))
      }
      const isPost = turn % 2 === 0
      const number = isPost ? this.#next++ : mine
      try {
        const answer = isPost
          ? await this.#post(connection, number, isOneShot)
          : await this.#get(connection, number, isOneShot)
        if (isPost) {
          mine = number
          this.answered.push(number)
        }
        if (answer.isLast || isOneShot) connection.close()
      } catch (err) {
        this.counts.failed++
        if (this.counts.failures.length < FAILURES_KEPT) {
          this.counts.failures.push(`${isPost ? 'POST' : 'GET'} ${number} ${isOneShot ? 'alone' : 'kept alive'}: ${err.message}`)
        }
        connection.close()
      }
      await new Promise(resolve => { setTimeout(resolve, this.#everyMs) })
    }
    this.#leave(connection)
  }

  #leave (connection) {
    if (connection === null) return
    if (connection.extra > 0) this.counts.twice++
    connection.close()
  }

  async #post (connection, number, close) {
    this.counts.requests++
    this.counts.posts++
    const body = JSON.stringify({ number, item: `lamp ${number}` })
    const answer = await connection.ask('POST', '/orders', this.#url.host, { body, close })
    const told = this.#read(answer, this.#routes ? 200 : 201)
    if (told.number !== number) throw new Error(`the answer of another order: ${answer.body.slice(0, 100)}`)
    return answer
  }

  // An order that was answered is there, whoever is asked.
  async #get (connection, number, close) {
    this.counts.requests++
    this.counts.gets++
    const answer = await connection.ask('GET', number === null ? '/' : `${this.#routes ? '/order?number=' : '/orders/'}${number}`, this.#url.host, { close })
    const told = this.#read(answer, 200)
    if (number !== null && (told.number !== number || told.item !== `lamp ${number}`)) throw new Error(`another order: ${answer.body.slice(0, 100)}`)
    return answer
  }

  #read ({ status, body }, wanted) {
    if (status !== wanted) throw new Error(`status ${status}: ${body.slice(0, 100).replace(/\s+/g, ' ')}`)
    const told = JSON.parse(body)
    this.counts.releases[told.release] = (this.counts.releases[told.release] ?? 0) + 1
    return told
  }
}

async function run (options) {
  const { keepAlive = 6, oneShot = 3 } = options
  const load = new Load(options)
  const clients = Array.from({ length: keepAlive + oneShot }, (_, i) => load.client(i >= keepAlive))
  // Whoever has started it is gone.
  process.on('disconnect', () => process.exit(1))
  process.on('message', async message => {
    if (message === 'peek') return process.send({ counts: load.counts })
    load.stop()
    await Promise.all(clients)
    process.send({ end: { counts: load.counts, answered: load.answered } })
  })
  process.send({ running: true })
}

if (require.main === module) run(JSON.parse(process.argv[2]))

module.exports = { startLoad }
