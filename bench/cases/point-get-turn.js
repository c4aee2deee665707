'use strict'

// What is left of the blocking read's lead when each turn of the event loop
// makes only one, so that no two reads share a snapshot?

const { repeatAsync } = require('../lib/loop')
const { WORLDS, randoms } = require('../lib/data')

const SQL = 'select id, randomnumber from world where id = ?'
const IDS = randoms(65536, 1, WORLDS)
const MASK = IDS.length - 1
const STEP = 200

let sum = 0

function turns (get) {
  let k = 0
  return {
    check: () => [get(1), get(WORLDS), get(-1) ?? null],
    round: ms => repeatAsync(ms, () => new Promise((resolve, reject) => {
      let left = STEP
      function turn () {
        try {
          sum += get(IDS[k++ & MASK]).randomnumber
        } catch (err) {
          return reject(err)
        }
        if (--left) setImmediate(turn)
        else resolve(STEP)
      }
      setImmediate(turn)
    }))
  }
}

module.exports = {
  title: 'One sync `get` a turn',
  unit: 'gets/s',
  rows: [{
    name: 'point-get-turn',
    title: 'one sync point `get` in each turn of the event loop',
    ours: 'sync',
    rivals: { sync: 'autocommit' },
    limit: 'get-autocommit',
    targets: {}
  }],
  programs: {
    ours: {
      sync ({ lib: { db } }) {
        const query = db.sync.prepare(SQL)
        return turns(id => query.get([id]))
      }
    },
    sync: {
      autocommit ({ lib }) {
        const query = lib.prepare(SQL)
        return turns(id => query.get(id))
      }
    }
  },
  sum: () => sum
}
