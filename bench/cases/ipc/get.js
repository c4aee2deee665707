'use strict'

// What does a row by its key cost, through SQL, beside a value by its key?

const { load, tail, lone, cpuRows } = require('../../lib/hop')
const { WORLDS, randoms } = require('../../lib/data')
const { WORLD } = require('../../lib/redis')

const IN_FLIGHT = 64
const SQL = 'select id, randomnumber from world where id = ?'
const IDS = randoms(65536, 1, WORLDS)
const KEYS = IDS.map(id => WORLD + id)
const MASK = IDS.length - 1

let sum = 0
let k = 0

// one(id) -> the row, or undefined; call(): what is measured.
const callers = {
  ours ({ lib: { db } }) {
    const query = db.prepare(SQL)
    return {
      one: id => query.get([id]),
      call: async () => { sum += (await query.get([IDS[k++ & MASK]])).randomnumber }
    }
  },
  // The rival's value is not even parsed where it is measured.
  kv: ({ lib }) => ({
    one: async id => JSON.parse(await lib.get(WORLD + id)),
    call: async () => { sum += (await lib.get(KEYS[k++ & MASK])).length }
  }),
  thread: ({ lib }) => ({
    one: id => lib.get(SQL, id),
    call: async () => { sum += (await lib.get(SQL, IDS[k++ & MASK])).randomnumber }
  })
}

function programs (family) {
  const program = round => context => {
    const { one, call } = callers[family](context)
    return {
      async check () {
        const rows = await Promise.all([1, 2, 5000, WORLDS].map(one))
        return [...rows, await one(-1) ?? null]
      },
      round: round(context, call)
    }
  }
  return {
    load: program((context, call) => load(IN_FLIGHT, context, call)),
    tail: program((context, call) => tail(IN_FLIGHT, call)),
    lone: program((context, call) => lone(call))
  }
}

const rate = {
  name: 'get-64',
  label: ['Point SELECT, 64 in flight', 'against GET'],
  title: 'point SELECT, 64 in flight, against GET',
  ours: 'load',
  rivals: { kv: 'load', thread: 'load' },
  limit: 'echo-64',
  targets: { ioredis: 1.5, redis: 1.5 }
}

module.exports = {
  title: 'Point SELECT',
  unit: 'requests/s',
  rows: [
    rate,
    ...cpuRows(rate, 'a point SELECT, 64 in flight'),
    {
      name: 'get-1-p50',
      title: 'point SELECT, one at a time, p50 of the latency',
      unit: 'µs',
      measure: 'p50',
      better: 'lower',
      ours: 'lone',
      rivals: { kv: 'lone', thread: 'lone' },
      limit: 'echo-1',
      targets: { ioredis: 1 }
    },
    {
      name: 'get-64-p999',
      title: 'point SELECT, 64 in flight, p99.9 of the latency',
      unit: 'µs',
      measure: 'p999',
      better: 'lower',
      ours: 'tail',
      rivals: { kv: 'tail', thread: 'tail' },
      targets: { ioredis: 1 }
    }
  ],
  programs: { ours: programs('ours'), kv: programs('kv'), thread: programs('thread') },
  sum: () => sum
}
