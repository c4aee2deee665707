'use strict'

// Four processes insert into one database, each insert on the disk before it is
// acknowledged: through one daemon, or each by itself on the same file.

const { Crew } = require('../../lib/crew')

const PROCESSES = 4
const IN_FLIGHT = 16
const BUSY_MS = 5000 // better-sqlite3's default
const CHECKED = 50 // rows that each process inserts for the check
const BACK = 'select count(*) as n, sum(age) as age, min(city) as first, max(created_at) as last from entry'
const RESET = ['delete from entry', 'pragma wal_checkpoint(truncate)']

function program (all, busyMs) {
  return async ({ lib, job }) => {
    const crew = await Crew.start(PROCESSES, { ...job, busyMs })
    async function reset () {
      for (const sql of RESET) await lib.exec(sql)
    }
    return {
      async check () {
        await reset()
        await crew.all({ name: 'some', count: CHECKED })
        return all(lib, BACK)
      },
      reset,
      async round (ms) {
        const { rate, locked } = await crew.all({ name: 'round', ms, calls: IN_FLIGHT })
        return { rate, locked: locked * 1000 / (rate * ms / 1000) }
      },
      close: () => crew.close()
    }
  }
}

const theirs = (lib, sql) => lib.prepare(sql).all()
const targets = { 'better-sqlite3 in each process': 20, 'bun:sqlite in each process': 20 }

module.exports = {
  title: 'Durable inserts from four processes',
  unit: 'inserts/s',
  roundMs: 1000,
  rows: [
    {
      name: 'insert-processes',
      label: ['Durable inserts, 4 processes', 'with 16 in flight each'],
      title: 'durable single inserts from 4 processes with 16 in flight each, against autocommit on one file, waiting up to 5 s for its lock',
      ours: 'daemon',
      rivals: { processes: 'waiting' },
      targets
    },
    {
      name: 'insert-processes-retry',
      title: 'the same against processes that do not wait but try again at once',
      ours: 'daemon',
      rivals: { processes: 'retrying' },
      targets: {}
    },
    {
      name: 'insert-processes-locked',
      title: '"database is locked" for each 1000 inserts, waiting up to 5 s',
      unit: 'errors',
      measure: 'locked',
      better: 'lower',
      ours: 'daemon',
      rivals: { processes: 'waiting' },
      targets: {}
    },
    {
      name: 'insert-processes-locked-retry',
      title: 'the same of those that try again at once',
      unit: 'errors',
      measure: 'locked',
      better: 'lower',
      ours: 'daemon',
      rivals: { processes: 'retrying' },
      targets: {}
    }
  ],
  programs: {
    ours: { daemon: program((lib, sql) => lib.db.all(sql)) },
    processes: { waiting: program(theirs, BUSY_MS), retrying: program(theirs, 0) }
  }
}
