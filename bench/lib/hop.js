'use strict'

// What the cases of a hop to someone else share: the load, and the rows that say
// what a request costs both sides.

const { inFlight, inFlightLatencies, latencies } = require('./loop')
const { withCpu } = require('./cpu')

const pidOf = ({ lib, job }) => (job.service ? job.service.pid : lib.serverPid) || null

/** A round of n calls in flight: { rate, cpuClient, cpuServer, cpuBoth }. */
function load (n, context, call) {
  return ms => withCpu(pidOf(context), () => inFlight(n, ms, call))
}

/** A round that tells how long each of n calls in flight takes. */
function tail (n, call) {
  return ms => inFlightLatencies(n, ms, call)
}

/** A round of calls made one after the other. */
function lone (call) {
  return ms => latencies(ms, call)
}

/** Rows of the same programs as `row`: the processor time of each side. */
function cpuRows (row, title) {
  const sides = [
    ['client', 'cpuClient', 'of the client'],
    ['server', 'cpuServer', 'of the server'],
    ['both', 'cpuBoth', 'of both']
  ]
  return sides.map(([suffix, measure, whose]) => ({
    name: `${row.name}-cpu-${suffix}`,
    title: `${title}: processor time ${whose}`,
    unit: 'µs',
    measure,
    better: 'lower',
    ours: row.ours,
    rivals: row.rivals,
    targets: {}
  }))
}

module.exports = { load, tail, lone, cpuRows }
