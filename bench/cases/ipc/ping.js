'use strict'

// What does the hop itself cost? An empty request of ours beside what a rival's
// least request is.

const { load, tail, lone, cpuRows } = require('../../lib/hop')
const { WORLDS, randoms } = require('../../lib/data')
const { WORLD } = require('../../lib/redis')

const IN_FLIGHT = 64
const KEYS = randoms(65536, 1, WORLDS).map(id => WORLD + id)
const MASK = KEYS.length - 1
const BODY = Buffer.alloc(64, 'x')

let sum = 0
let k = 0

const callers = {
  ours: ({ lib }) => () => lib.ping(),
  kv: ({ lib }) => async () => { sum += (await lib.get(KEYS[k++ & MASK])).length },
  echo ({ lib }) {
    const body = lib.text ? BODY.toString() : BODY
    return () => lib.call(body)
  }
}

function programs (family) {
  const caller = callers[family]
  return {
    load: context => ({ round: load(IN_FLIGHT, context, caller(context)) }),
    tail: context => ({ round: tail(IN_FLIGHT, caller(context)) }),
    lone: context => ({ round: lone(caller(context)) })
  }
}

const rate = {
  name: 'ping-64',
  label: ['Ping, 64 in flight', 'against GET or an echo'],
  title: 'ping, 64 in flight, against GET of a short value or an echo of 64 bytes',
  ours: 'load',
  rivals: { kv: 'load', echo: 'load' },
  limit: 'echo-64',
  targets: { ioredis: 2.5, redis: 2.5 }
}

module.exports = {
  title: 'Ping',
  unit: 'requests/s',
  rows: [
    rate,
    ...cpuRows(rate, 'a ping, 64 in flight'),
    {
      name: 'ping-64-p999',
      title: 'the same, p99.9 of the latency',
      unit: 'µs',
      measure: 'p999',
      better: 'lower',
      ours: 'tail',
      rivals: { kv: 'tail', echo: 'tail' },
      targets: { ioredis: 1 }
    },
    {
      name: 'ping-1-p50',
      title: 'one ping at a time, p50 of the latency',
      unit: 'µs',
      measure: 'p50',
      better: 'lower',
      ours: 'lone',
      rivals: { kv: 'lone', echo: 'lone' },
      limit: 'echo-1',
      targets: {}
    }
  ],
  programs: { ours: programs('ours'), kv: programs('kv'), echo: programs('echo') },
  sum: () => sum
}
