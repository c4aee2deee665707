'use strict'
// The agent's end of the connection: frames in and out, heartbeats, and the
// moment from which the deployer counts as lost. Losing it ends nothing here:
// who works goes on, and decides by isLost() what to do.

const { encode, FrameReader } = require('../frames')

// The deployer skips what a login script has printed until it sees this.
const MARKER = '\nundercroft-agent-1\n'
const TICK_MS = 2000
const SILENCE_MS = 30_000

class Wire {
  #reader = new FrameReader()
  #input
  #output
  #onFrame
  #lost = null
  #listeners = new Set()
  #silentMs = 0
  #draining = null
  #timer
  #limits

  /** onFrame({ json, payload }) is called for each frame; after `lost` no more. */
  constructor ({ input, output, onFrame, tickMs = TICK_MS, silenceMs = SILENCE_MS }) {
    this.#input = input
    this.#output = output
    this.#onFrame = onFrame
    this.#limits = { tickMs, silenceMs }
  }

  open () {
    this.#output.on('error', () => this.lose('the connection does not take answers any more'))
    this.#output.on('drain', () => this.#drained())
    this.#output.write(MARKER)
    this.#input.on('data', bytes => this.#read(bytes))
    this.#input.on('end', () => this.lose('the connection has ended'))
    this.#input.on('close', () => this.lose('the connection has ended'))
    this.#input.on('error', () => this.lose('the connection has failed'))
    this.#timer = setInterval(() => this.#tick(), this.#limits.tickMs)
    this.#input.resume()
  }

  /** Bytes that were read from the input before it was ours. */
  take (bytes) {
    if (bytes.length) this.#read(bytes)
  }

  #read (bytes) {
    if (this.#lost) return
    this.#silentMs = 0
    let frames
    try {
      frames = this.#reader.push(bytes)
    } catch (err) {
      this.lose(err.message)
      return
    }
    for (const frame of frames) this.#onFrame(frame)
  }

  // Counted in ticks and not by the clock: while this process did not run, it
  // could not hear either.
  #tick () {
    this.#silentMs += this.#limits.tickMs
    if (this.#silentMs > this.#limits.silenceMs) this.lose(`nothing was heard of the deployer for ${this.#limits.silenceMs / 1000} s`)
    this.send({ beat: true })
  }

  /** Resolves when there is room for more; at once when nobody listens any more. */
  send (json, payload) {
    if (this.#lost) return Promise.resolve()
    let room
    for (const buffer of encode(json, payload)) room = this.#output.write(buffer)
    if (room) return Promise.resolve()
    this.#draining ??= withResolvers()
    return this.#draining.promise
  }

  #drained () {
    this.#draining?.resolve()
    this.#draining = null
  }

  get lost () {
    return this.#lost !== null
  }

  get reason () {
    return this.#lost
  }

  lose (reason) {
    if (this.#lost) return
    this.#lost = reason
    this.#drained()
    clearInterval(this.#timer)
    for (const fn of [...this.#listeners]) fn(reason)
    this.#listeners.clear()
  }

  /** fn(reason) is called once; returns what takes it back. */
  onLost (fn) {
    if (this.#lost) queueMicrotask(() => fn(this.#lost))
    else this.#listeners.add(fn)
    return () => this.#listeners.delete(fn)
  }

  /** What was sent is with the kernel; or nobody wants it, or time is over. */
  async flush (timeoutMs) {
    let timer
    const late = new Promise(resolve => { timer = setTimeout(resolve, timeoutMs) })
    await Promise.race([late, new Promise(resolve => this.#output.write('', resolve))])
    clearTimeout(timer)
  }
}

// Node 20 has no Promise.withResolvers.
function withResolvers () {
  const deferred = {}
  deferred.promise = new Promise(resolve => { deferred.resolve = resolve })
  return deferred
}

module.exports = { Wire }
