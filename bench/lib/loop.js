'use strict'

// The clocks of the benchmark: every figure comes out of one of these loops.
// They run in the contestant's own process.

const { performance } = require('node:perf_hooks')
const { quantile } = require('./stats')

const MOST_SAMPLES = 2 ** 20

const now = () => performance.now()

/**
 * Repeats `step` (which returns how many operations it did) for about `ms`.
 * A step should take well under a millisecond, or be one large operation.
 */
function repeat (ms, step) {
  const start = now()
  let count = 0
  let elapsed
  do {
    count += step()
    elapsed = now() - start
  } while (elapsed < ms)
  return { rate: count * 1000 / elapsed }
}

/** The same for a step that returns a promise of its number of operations. */
async function repeatAsync (ms, step) {
  const start = now()
  let count = 0
  let elapsed
  do {
    count += await step()
    elapsed = now() - start
  } while (elapsed < ms)
  return { rate: count * 1000 / elapsed }
}

/**
 * Keeps `n` calls in flight: n clients, each of which awaits its call before it
 * makes the next, as the requests of a service do. Counts the calls that
 * completed, up to the last one in flight when the time is over.
 */
async function inFlight (n, ms, call) {
  let count = 0
  const state = { over: false }
  async function client () {
    while (!state.over) {
      await call()
      count++
    }
  }
  const start = now()
  const timer = setTimeout(() => { state.over = true }, ms)
  const clients = []
  for (let i = 0; i < n; i++) clients.push(client())
  try {
    await Promise.all(clients)
  } finally {
    state.over = true
    clearTimeout(timer)
  }
  return { rate: count * 1000 / (now() - start) }
}

/** inFlight, but each call's latency in microseconds is what counts. */
async function inFlightLatencies (n, ms, call) {
  const seen = new Samples()
  const result = await inFlight(n, ms, async () => {
    const before = now()
    await call()
    seen.add((now() - before) * 1000)
  })
  const values = seen.values()
  return {
    ...result,
    p50: quantile(values, 0.5),
    p99: quantile(values, 0.99),
    p999: quantile(values, 0.999)
  }
}

/** Numbers in memory that is there already: a list that grows would stop the loop. */
class Samples {
  #values = new Float64Array(MOST_SAMPLES)
  #length = 0

  add (value) {
    if (this.#length < MOST_SAMPLES) this.#values[this.#length++] = value
  }

  values () {
    return this.#values.subarray(0, this.#length)
  }
}

/** Latency in microseconds of calls made one after the other. */
async function latencies (ms, call) {
  const seen = []
  const end = now() + ms
  let before = now()
  while (before < end) {
    await call()
    const after = now()
    seen.push((after - before) * 1000)
    before = after
  }
  return { p50: quantile(seen, 0.5), p99: quantile(seen, 0.99) }
}

/** The same for a call that does not wait. */
function latenciesSync (ms, call) {
  const seen = []
  const end = now() + ms
  let before = now()
  while (before < end) {
    call()
    const after = now()
    seen.push((after - before) * 1000)
    before = after
  }
  return { p50: quantile(seen, 0.5), p99: quantile(seen, 0.99) }
}

module.exports = { now, repeat, repeatAsync, inFlight, inFlightLatencies, latencies, latenciesSync }
