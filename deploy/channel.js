'use strict'
// The deployer's end of one agent: starts it through a transport, calls its
// ops, and tells when it is lost.

const { DeployError } = require('./errors')
const { encode, FrameReader, MAX_PAYLOAD, WINDOW } = require('./frames')
const { bundle } = require('./bundle')

const PROTOCOL = 1
const MARKER = Buffer.from('\nundercroft-agent-1\n')
// What login scripts may print before the agent speaks.
const NOISE = 64 * 1024
const STDERR = 16 * 1024
const BEAT_MS = 2000
// The agent sends a beat every two seconds, however busy it is.
const SILENCE_MS = 60_000
const CLOSE_MS = 10_000
// Undoing takes the time that a service has to end.
const CANCEL_MS = 20_000
// Chunks that wait for their reader; above it nothing more is read.
const CHUNKS = 4 * 1024 * 1024

class AgentChannel {
  #pipe
  #host
  #reader = new FrameReader()
  #noise = Buffer.alloc(0)
  #errors = ''
  #calls = new Map()
  #nextId = 1
  #hello = deferred()
  #ended = null
  #fatal = null
  #exit
  #beat
  #silentMs = 0
  #drain = null
  #waiting = 0
  #limits
  facts = null

  /**
   * pipe: { stdin, stdout, stderr, exit: Promise<{ code, signal }>, kill() } of
   * the started command; host: the name that errors carry.
   */
  constructor (pipe, host, { beatMs = BEAT_MS, agentSilenceMs = SILENCE_MS, closeMs = CLOSE_MS } = {}) {
    this.#pipe = pipe
    this.#host = host
    this.#limits = { beatMs, silenceMs: agentSilenceMs, closeMs }
    pipe.stdin.on('drain', () => this.#drained())
    pipe.stdin.on('error', () => this.#drained())
    pipe.stdout.on('data', bytes => this.#read(bytes))
    pipe.stdout.on('error', () => {})
    pipe.stderr.on('error', () => {})
    pipe.stderr.on('data', bytes => { this.#errors = (this.#errors + bytes).slice(-STDERR) })
    this.#exit = pipe.exit.then(exit => this.#over(exit))
    this.#hello.promise.catch(() => {})
  }

  /**
   * Sends the agent (and `files`, further ones of it) and waits for its word.
   * Rejects with { exit } in details when the command ends instead.
   */
  async start (init, { timeoutMs, files }) {
    const timer = setTimeout(() => this.#fail(this.#error('UC_DEPLOY_TIMEOUT',
      `the agent did not start within ${timeoutMs / 1000} s`, { lines: this.lines })), timeoutMs)
    try {
      const sent = Date.now()
      this.#send({ files: { ...bundle(), ...files }, init })
      const hello = await this.#hello.promise
      if (hello.protocol !== PROTOCOL) throw this.#error('UC_DEPLOY_PROTOCOL', `the agent speaks version ${hello.protocol}, not ${PROTOCOL}`)
      const now = Date.now()
      // Half of the way there and back, as NTP reckons it (RFC 5905, section 8).
      this.facts = { ...hello.facts, skewMs: Math.round(hello.facts.now - (sent + now) / 2), roundTripMs: now - sent }
      this.#beat = setInterval(() => this.#tick(), this.#limits.beatMs)
      return this.facts
    } catch (err) {
      this.destroy()
      throw err
    } finally {
      clearTimeout(timer)
    }
  }

  /** The last lines that came on stderr; before the agent spoke, those on stdout where that is all. */
  get lines () {
    const text = this.#errors.trim() || !this.#noise ? this.#errors : this.#noise.toString('utf8', 0, 2000)
    return text.split('\n').map(line => line.trimEnd()).filter(Boolean).slice(-20)
  }

  // ---- calls ---------------------------------------------------------------

  /**
   * Calls an op. onEvent(event) for each event, in order and one at a time: a
   * stage begins on the host when it has returned. onChunk(bytes) the same for
   * chunks. payload: an iterable of buffers. An aborted signal asks the op to
   * undo what it has done, and waits for that.
   */
  call (op, args, { onEvent, onChunk, payload, timeoutMs, signal } = {}) {
    if (this.#ended || this.#fatal) return Promise.reject(this.#lostError())
    if (signal?.aborted) return Promise.reject(cancelled(signal).at(this.#host))
    const id = this.#nextId++
    const call = { id, op, onEvent, onChunk, stage: null, order: Promise.resolve(), room: WINDOW, wake: null, ...deferred() }
    this.#calls.set(id, call)
    const timers = []
    const abort = () => {
      this.#send({ id, cancel: true, reason: cancelled(signal).message })
      timers.push(setTimeout(() => call.reject(cancelled(signal)), CANCEL_MS))
    }
    if (timeoutMs) {
      timers.push(setTimeout(() => {
        this.#send({ id, cancel: true, reason: 'the time is over' })
        call.reject(this.#error('UC_DEPLOY_TIMEOUT', `${op} was not over within ${timeoutMs / 1000} s`))
      }, timeoutMs))
    }
    signal?.addEventListener('abort', abort, { once: true })
    try {
      this.#send({ id, op, args })
      if (payload) this.#pump(call, payload)
    } catch (err) {
      // Arguments that are no JSON, or more than a frame holds.
      call.reject(err)
    }
    return call.promise.catch(err => {
      throw err instanceof DeployError ? err.at(this.#host, call.stage) : err
    }).finally(() => {
      this.#calls.delete(id)
      call.wake?.()
      timers.forEach(clearTimeout)
      signal?.removeEventListener('abort', abort)
    })
  }

  async #pump (call, payload) {
    try {
      for await (const bytes of payload) {
        for (let at = 0; at < bytes.length; at += MAX_PAYLOAD) {
          const part = bytes.subarray(at, at + MAX_PAYLOAD)
          while (call.room < part.length && this.#calls.has(call.id)) await new Promise(resolve => { call.wake = resolve })
          if (!this.#calls.has(call.id) || this.#ended) return
          call.room -= part.length
          await this.#send({ id: call.id, more: true }, part)
        }
      }
      this.#send({ id: call.id, end: true })
    } catch (err) {
      this.#send({ id: call.id, cancel: true, reason: `the deployer failed: ${err.message}` })
      call.reject(err)
    }
  }

  // ---- frames --------------------------------------------------------------

  // Resolves when there is room for more, or when there never will be.
  #send (json, payload) {
    if (this.#ended || !this.#pipe.stdin.writable) return Promise.resolve()
    let room
    for (const buffer of encode(json, payload)) room = this.#pipe.stdin.write(buffer)
    if (room) return Promise.resolve()
    this.#drain ??= deferred()
    return this.#drain.promise
  }

  #drained () {
    this.#drain?.resolve()
    this.#drain = null
  }

  #read (bytes) {
    this.#silentMs = 0
    const rest = this.#noise === null ? bytes : this.#behindMarker(bytes)
    if (rest === null) return
    try {
      for (const frame of this.#reader.push(rest)) this.#take(frame)
    } catch (err) {
      this.#breakOff(err.at(this.#host))
    }
  }

  // -> what follows the agent's first word, or null as long as it is not there.
  #behindMarker (bytes) {
    const seen = this.#noise = Buffer.concat([this.#noise, bytes])
    const at = seen.indexOf(MARKER)
    if (at >= 0) {
      this.#noise = null
      return seen.subarray(at + MARKER.length)
    }
    if (seen.length > NOISE) {
      this.#breakOff(this.#error('UC_DEPLOY_PROTOCOL', 'the host answers with something that is not the agent', {
        lines: seen.toString('utf8', 0, 400).split('\n').slice(0, 5),
        hint: 'a login script of this user prints on stdout, or replaces the command: let it do so in interactive shells only'
      }))
    }
    return null
  }

  #take ({ json, payload }) {
    if (json.beat) return
    if (json.hello) return this.#hello.resolve(json.hello)
    const call = this.#calls.get(json.id)
    if (!call) return
    if (json.room) {
      call.room += json.room
      call.wake?.()
    } else if (json.event) {
      if (json.event.stage) call.stage = json.event.stage
      this.#inOrder(call, 0, async () => {
        await call.onEvent?.(json.event)
        if (json.ack !== undefined) this.#send({ id: call.id, ack: json.ack })
      })
    } else if (json.chunk) this.#inOrder(call, payload.length, () => call.onChunk?.(payload))
    else if (json.error) this.#inOrder(call, 0, () => call.reject(fromWire(json.error)))
    else this.#inOrder(call, 0, () => call.resolve(json.done))
  }

  // What belongs to a call is handed over one after the other.
  #inOrder (call, size, work) {
    this.#waiting += size
    if (this.#waiting > CHUNKS) this.#pipe.stdout.pause()
    call.order = call.order.then(work).catch(err => {
      this.#send({ id: call.id, cancel: true, reason: `the deployer failed: ${err.message}` })
      call.reject(err)
    }).then(() => {
      this.#waiting -= size
      if (size && this.#waiting < CHUNKS / 2) this.#pipe.stdout.resume()
    })
  }

  // ---- the end -------------------------------------------------------------

  #tick () {
    this.#send({ beat: true })
    const { beatMs, silenceMs } = this.#limits
    if (this.#waiting < CHUNKS / 2) this.#silentMs += beatMs
    if (this.#silentMs <= silenceMs) return
    this.#breakOff(this.#error('UC_DEPLOY_LOST', `nothing was heard of the agent for ${silenceMs / 1000} s`))
  }

  #over (exit) {
    this.#ended = exit
    clearInterval(this.#beat)
    this.#drained()
    this.#fail(this.#lostError())
  }

  #lostError () {
    if (this.#fatal) return again(this.#fatal)
    const { code = null, signal = null, reason = null } = this.#ended ?? {}
    const how = reason || (signal ? `the agent was ended by ${signal}` : `the agent has ended with exit code ${code}`)
    return this.#error('UC_DEPLOY_LOST', how, { lines: this.lines, details: { exit: code, signal } })
  }

  // Nothing sensible can come any more.
  #breakOff (err) {
    this.#fatal ??= err
    this.#fail(err)
    this.destroy()
  }

  #fail (err) {
    this.#hello.reject(err)
    for (const call of this.#calls.values()) {
      call.order = call.order.then(() => call.reject(again(err)))
    }
  }

  /** Lets the agent finish what runs, then end; at most for ten seconds. */
  async close () {
    if (!this.#ended && !this.#fatal) {
      this.#send({ bye: true })
      let timer
      await Promise.race([this.#exit, new Promise(resolve => { timer = setTimeout(resolve, this.#limits.closeMs) })])
      clearTimeout(timer)
    }
    this.destroy()
  }

  destroy () {
    clearInterval(this.#beat)
    this.#pipe.kill()
  }

  #error (code, message, more) {
    return new DeployError(code, message, { host: this.#host, ...more })
  }
}

function fromWire ({ code, message, ...more }) {
  return new DeployError(String(code), String(message), more)
}

// Each call has an error of its own, as each tells its own stage.
function again (err) {
  return new DeployError(err.code, err.message, err)
}

function cancelled (signal) {
  const why = signal.reason instanceof Error && signal.reason.name !== 'AbortError' ? `: ${signal.reason.message}` : ''
  return new DeployError('UC_DEPLOY_CANCELLED', `cancelled${why}`)
}

function deferred () {
  const it = {}
  it.promise = new Promise((resolve, reject) => Object.assign(it, { resolve, reject }))
  return it
}

module.exports = { AgentChannel }
