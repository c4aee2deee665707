'use strict'

// How fast do a hundred rows become the bytes of an HTTP body?

const { repeat, repeatAsync, inFlight } = require('../lib/loop')
const { USERS, ID_STEP, randoms } = require('../lib/data')

const SQL = 'select id, name, age, city, created_at from user where id > ? order by id limit 100'
const STARTS = randoms(4096, 0, (USERS - 100) * ID_STEP)
const MASK = STARTS.length - 1
const STEP = 10

let bytes = 0
let k = 0

async function answers (json) {
  const out = []
  for (const start of [0, 354757, USERS * ID_STEP]) {
    out.push(JSON.parse(String(await json(start))))
  }
  return out
}

// A body is bytes: what JSON.stringify makes is still a string, and turning it
// into bytes is the socket's work for both, so it is not counted.
module.exports = {
  title: '`json` of 100 rows',
  unit: 'queries/s',
  rows: [
    {
      name: 'json-100',
      label: ['JSON of 100 rows', 'against JSON.stringify'],
      title: 'sync `json` of 100 rows against `all` + `JSON.stringify`',
      ours: 'sync',
      rivals: { sync: 'stringify', async: 'stringify' },
      limit: 'json-100',
      targets: { 'better-sqlite3': 1.6, 'node:sqlite': 2.5, 'bun:sqlite': 1.1 }
    },
    {
      name: 'json-100-async',
      title: 'async `json`, 64 in flight, likewise',
      ours: 'clients64',
      rivals: { sync: 'stringify' },
      limit: 'json-100',
      targets: {}
    }
  ],
  programs: {
    ours: {
      sync ({ lib: { db } }) {
        const query = db.sync.prepare(SQL)
        return {
          check: () => answers(start => query.json([start])),
          round: ms => repeat(ms, () => {
            for (let i = 0; i < STEP; i++) {
              bytes += query.json([STARTS[k++ & MASK]]).length
            }
            return STEP
          })
        }
      },
      clients64 ({ lib: { db } }) {
        const query = db.prepare(SQL)
        const call = async () => {
          bytes += (await query.json([STARTS[k++ & MASK]])).length
        }
        return {
          check: () => answers(start => query.json([start])),
          round: ms => inFlight(64, ms, call)
        }
      }
    },
    sync: {
      stringify ({ lib }) {
        const query = lib.prepare(SQL)
        const json = start => JSON.stringify(query.all(start))
        return {
          check: () => answers(json),
          round: ms => repeat(ms, () => {
            for (let i = 0; i < STEP; i++) bytes += json(STARTS[k++ & MASK]).length
            return STEP
          })
        }
      }
    },
    async: {
      stringify ({ lib }) {
        const query = lib.prepare(SQL)
        const json = async start => JSON.stringify(await query.all(start))
        return {
          check: () => answers(json),
          round: ms => repeatAsync(ms, async () => {
            bytes += (await json(STARTS[k++ & MASK])).length
            return 1
          })
        }
      }
    }
  },
  sum: () => bytes
}
