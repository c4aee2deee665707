'use strict'

// AbortSignal and calls, in one place: a listener is added when a call is
// written and removed in every outcome.

/**
 * Lets `signal` cancel the call. Aborting only asks the core: the promise
 * settles when the core says that the call is over.
 */
function listen (client, call, signal) {
  const id = call.id
  call.signal = signal
  call.onAbort = () => client.cancel(id)
  signal.addEventListener('abort', call.onAbort, { once: true })
}

/** Takes the listener away; returns the signal. */
function unlisten (call) {
  const { signal } = call
  signal.removeEventListener('abort', call.onAbort)
  call.signal = null
  call.onAbort = null
  return signal
}

module.exports = { listen, unlisten }
