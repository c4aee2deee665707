'use strict'

// What does a server cost that has nothing to do, with 200 clients connected?

const fs = require('node:fs')
const { setTimeout: sleep } = require('node:timers/promises')
const { cpuOf } = require('../../lib/cpu')

const CLIENTS = 200
const SETTLE_MS = 500
const IDLE_MS = 4000
const MB = 1e6

function resident (pid) {
  const text = fs.readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(text)[1]) * 1024 / MB
}

// Each client has asked once, so that nothing is left to do for it.
function program (ask) {
  return async ({ lib, job: { service: { pid } }, scale }) => {
    const clients = []
    for (let i = 0; i < CLIENTS; i++) {
      const client = await lib.connect()
      clients.push(client)
      await ask(client)
    }
    return {
      async round () {
        await sleep(scale(SETTLE_MS))
        const cpu = cpuOf(pid)
        await sleep(scale(IDLE_MS))
        return {
          resident: resident(pid),
          cpu: (cpuOf(pid) - cpu) / 1000 / (scale(IDLE_MS) / 1000)
        }
      },
      async close () {
        for (const client of clients) await client.close()
      }
    }
  }
}

module.exports = {
  title: '200 idle clients',
  once: true,
  better: 'lower',
  rows: [
    {
      name: 'idle-resident',
      title: 'resident memory of the server with 200 idle clients',
      unit: 'MB',
      measure: 'resident',
      ours: 'idle',
      rivals: { kv: 'idle' },
      targets: {},
      atMost: { node: 32, bun: 32 }
    },
    {
      name: 'idle-cpu',
      title: 'its processor time meanwhile, a second',
      unit: 'ms',
      measure: 'cpu',
      ours: 'idle',
      rivals: { kv: 'idle' },
      targets: {},
      atMost: { node: 1, bun: 1 }
    }
  ],
  programs: {
    ours: { idle: program(store => store.db.get('select 1')) },
    kv: { idle: program(client => client.get('world:1')) }
  }
}
