'use strict'

// AbortSignal, in one place: a listener is added when something begins to wait
// and removed in every outcome. A signal has one listener of ours, however many
// calls wait for it: the runtime takes more than ten for a leak.

// signal -> { waiting: Set of functions, listener }
const groups = new WeakMap()

/**
 * Of an AbortSignal what calls need, for what begins and ends by the thousand: a real one, and its
 * listeners, cost more than all else that a request of HTTP does on this side.
 */
class Hangup {
  aborted = false
  reason = undefined
  // The one who waits, nearly always; or a set of them.
  #waiting = null
  #controller = null

  /** A real one, for who needs that. */
  get real () {
    if (this.#controller === null) {
      const controller = this.#controller = new AbortController()
      if (this.aborted) controller.abort(this.reason)
      else this.addEventListener('abort', () => controller.abort(this.reason))
    }
    return this.#controller.signal
  }

  addEventListener (name, fn) {
    const waiting = this.#waiting
    if (waiting === null) this.#waiting = fn
    else if (typeof waiting === 'function') this.#waiting = new Set([waiting, fn])
    else waiting.add(fn)
  }

  removeEventListener (name, fn) {
    if (this.#waiting === fn) this.#waiting = null
    else if (this.#waiting instanceof Set) this.#waiting.delete(fn)
  }

  abort () {
    if (this.aborted) return
    this.aborted = true
    this.reason = new DOMException('the client has hung up', 'AbortError')
    const waiting = this.#waiting
    if (typeof waiting === 'function') waiting()
    else if (waiting !== null) for (const fn of waiting) fn()
  }
}

/** Calls `fn` when the signal aborts, unless `forget` comes first. */
function whenAborted (signal, fn) {
  if (signal instanceof Hangup) return signal.addEventListener('abort', fn)
  let group = groups.get(signal)
  if (group === undefined) {
    const waiting = new Set()
    // Who is forgotten by one of them is not called any more.
    const listener = () => { for (const each of waiting) each() }
    group = { waiting, listener }
    groups.set(signal, group)
    signal.addEventListener('abort', listener, { once: true })
  }
  group.waiting.add(fn)
}

function forget (signal, fn) {
  if (signal instanceof Hangup) return signal.removeEventListener('abort', fn)
  const group = groups.get(signal)
  if (group === undefined || !group.waiting.delete(fn) || group.waiting.size > 0) return
  groups.delete(signal)
  signal.removeEventListener('abort', group.listener)
}

/**
 * Lets `signal` cancel the call. Aborting only asks the core: the promise
 * settles when the core says that the call is over.
 */
function listen (client, call, signal) {
  const id = call.id
  call.signal = signal
  call.onAbort = () => client.cancel(id)
  whenAborted(signal, call.onAbort)
}

/** Takes the listener away; returns the signal. */
function unlisten (call) {
  const { signal } = call
  forget(signal, call.onAbort)
  call.signal = null
  call.onAbort = null
  return signal
}

module.exports = { Hangup, whenAborted, forget, listen, unlisten }
