'use strict'

// TechEmpower's updates: twenty rows are each read, changed and written back,
// all at once where the library can. Durable like every write here.

const { repeat, repeatAsync } = require('../lib/loop')
const { WORLDS, mix, randoms } = require('../lib/data')

const READ = 'select id, randomnumber from world where id = ?'
const WRITE = 'update world set randomnumber = ? where id = ?'
const BACK = 'select count(*) as n, sum(randomnumber) as sum from world'
const IDS = randoms(65536, 1, WORLDS)
const MASK = IDS.length - 1
const AT_ONCE = 20

const next = row => 1 + mix(row.randomnumber) % 10000

module.exports = {
  title: '20 concurrent read-then-updates',
  unit: 'rows/s',
  writes: true,
  rows: [
    {
      name: 'updates-20',
      label: ['20 concurrent read-then-updates', 'against autocommit'],
      title: '20 concurrent awaited read-then-updates, rival in autocommit',
      ours: 'concurrent',
      rivals: { sync: 'autocommit', async: 'concurrent' },
      limit: 'update-group-20',
      targets: {}
    },
    {
      name: 'updates-20-transaction',
      title: "the same against the rival's hand-written transaction of 20",
      ours: 'concurrent',
      rivals: { sync: 'transaction' },
      limit: 'update-group-20',
      targets: {}
    }
  ],
  programs: {
    ours: {
      concurrent ({ lib: { db } }) {
        const read = db.prepare(READ)
        const write = db.prepare(WRITE)
        let k = 0
        async function one () {
          const row = await read.get([IDS[k++ & MASK]])
          await write.run([next(row), row.id])
        }
        async function step () {
          const all = []
          for (let i = 0; i < AT_ONCE; i++) all.push(one())
          await Promise.all(all)
          return AT_ONCE
        }
        return {
          check: async () => { await step(); return db.all(BACK) },
          round: ms => repeatAsync(ms, step)
        }
      }
    },
    async: {
      concurrent ({ lib }) {
        const read = lib.prepare(READ)
        const write = lib.prepare(WRITE)
        let k = 0
        async function one () {
          const row = await read.get(IDS[k++ & MASK])
          await write.run(next(row), row.id)
        }
        async function step () {
          const all = []
          for (let i = 0; i < AT_ONCE; i++) all.push(one())
          await Promise.all(all)
          return AT_ONCE
        }
        return {
          check: async () => { await step(); return lib.prepare(BACK).all() },
          round: ms => repeatAsync(ms, step)
        }
      }
    },
    sync: {
      autocommit: ({ lib }) => blocking(lib, fn => fn),
      transaction: ({ lib }) => blocking(lib, fn => lib.transaction(fn))
    }
  }
}

function blocking (lib, wrap) {
  const read = lib.prepare(READ)
  const write = lib.prepare(WRITE)
  let k = 0
  const step = wrap(() => {
    for (let i = 0; i < AT_ONCE; i++) {
      const row = read.get(IDS[k++ & MASK])
      write.run(next(row), row.id)
    }
    return AT_ONCE
  })
  return {
    check: () => { step(); return lib.prepare(BACK).all() },
    round: ms => repeat(ms, step)
  }
}
