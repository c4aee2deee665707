'use strict'

// Does a service that has made a million reads hold more than one that has made
// two hundred thousand?

const { rss, settle } = require('../lib/memory')
const { WORLDS, randoms } = require('../lib/data')

const SQL = 'select id, randomnumber from world where id = ?'
const IDS = randoms(65536, 1, WORLDS)
const MASK = IDS.length - 1
const CLIENTS = 64
const FIRST = 200000
const THEN = 1000000

let sum = 0
let k = 0

function grown (get, scale) {
  async function reads (count) {
    let left = count
    await Promise.all(Array.from({ length: CLIENTS }, async () => {
      while (left-- > 0) sum += (await get(IDS[k++ & MASK])).randomnumber
    }))
    await settle()
    return rss()
  }
  return {
    async round () {
      const before = await reads(scale(FIRST))
      const after = await reads(scale(THEN))
      return { megabytes: (after - before) / 1e6, total: after / 1e6 }
    }
  }
}

module.exports = {
  title: 'Memory of a million reads',
  unit: 'MB',
  measure: 'megabytes',
  better: 'lower',
  once: true,
  flags: { node: ['--expose-gc'] },
  rows: [
    {
      name: 'get-memory',
      title: 'growth of resident memory over 1 M async `get`, after the first 200,000',
      ours: 'awaited',
      // "No growth", give or take what an allocator keeps.
      atMost: { node: 8, bun: 8 },
      rivals: {},
      targets: {}
    },
    {
      name: 'get-memory-total',
      title: 'resident memory of the process after 1.2 M `get`',
      measure: 'total',
      ours: 'awaited',
      rivals: { sync: 'blocking' },
      targets: {}
    }
  ],
  programs: {
    ours: {
      awaited ({ lib: { db }, scale }) {
        const query = db.prepare(SQL)
        return grown(id => query.get([id]), scale)
      }
    },
    sync: {
      blocking ({ lib, scale }) {
        const query = lib.prepare(SQL)
        return grown(id => query.get(id), scale)
      }
    }
  },
  sum: () => sum
}
