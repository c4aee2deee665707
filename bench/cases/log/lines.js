'use strict'

// Lines that one process writes to a file: how many a second until all are on
// the disk, and what one call takes.

const { Load } = require('../../lib/log-rounds')
const { floor } = require('../../lib/floor')
const { Histogram } = require('../../lib/histogram')
const { now } = require('../../lib/loop')

const BEST = 3
const targets = {
  pino: BEST, 'pino, async': BEST, 'pino, transport': BEST, winston: BEST, spdlog: BEST, 'spdlog, async': BEST
}

function flood ({ lib }) {
  const load = new Load(lib)
  return { check: () => load.check(), round: ms => load.round(ms) }
}

/** The same, and the clock is read before and after each call. */
function calls ({ lib }) {
  const load = new Load(lib)
  return {
    check: () => load.check(),
    async round (ms) {
      const seen = new Histogram()
      let count = 0
      await load.round(ms, i => {
        const before = now()
        lib.log(i)
        seen.add((now() - before) * 1e6)
        count++
      })
      const p50 = seen.quantile(0.5)
      return { p50, p99: seen.quantile(0.99), p999: seen.quantile(0.999), floor: floor(p50, count).quantile(0.999) }
    }
  }
}

const latency = (name, title, measure, target, label) => ({
  name,
  label,
  title,
  unit: 'ns',
  measure,
  better: 'lower',
  ours: 'calls',
  rivals: { pino: 'calls', other: 'calls' },
  targets: target ? { pino: target } : {}
})

module.exports = {
  title: 'Lines of one process',
  unit: 'lines/s',
  roundMs: 1000,
  rows: [
    {
      name: 'lines',
      label: ['Lines a second', 'one process, on the disk'],
      title: 'lines a second, one process, `{ reqId, method, url, status, ms }` and a message, until all are on the disk',
      ours: 'flood',
      rivals: { pino: 'flood', other: 'flood' },
      targets,
      limit: 'lines'
    },
    {
      name: 'lines-accepted',
      title: 'the same until the last call has returned, wherever its line is then',
      measure: 'accepted',
      ours: 'flood',
      rivals: { pino: 'flood', other: 'flood' },
      targets: {}
    },
    {
      name: 'lines-cpu',
      title: 'processor time of a line, all threads, until it is on the disk',
      unit: 'µs',
      measure: 'cpu',
      better: 'lower',
      ours: 'flood',
      rivals: { pino: 'flood', other: 'flood' },
      targets: {}
    },
    latency('call-p50', 'p50 of the time of one call', 'p50', 3),
    latency('call-p99', 'p99', 'p99', null),
    latency('call-p999', 'p99.9', 'p999', 5),
    { ...latency('call-floor', 'p99.9 of as many calls that count to themselves for as long as that one\'s p50: the machine alone', 'floor'), rivals: {} }
  ],
  programs: {
    ours: { flood, calls },
    pino: { flood, calls },
    other: { flood, calls }
  }
}
