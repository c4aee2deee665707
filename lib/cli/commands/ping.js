'use strict'
// npx undercroft ping: does the daemon answer, and how fast?

const { isAddress } = require('../../base/address')
const { anyOptions: options, withTarget } = require('../target')

const help = `
Asks the daemon and waits for its answer, --count times, one after the other.
Succeeds when every one is answered, so it serves as a check of a service. With
the address of a PostgreSQL database it is the server that is asked.
`

async function run (ctx) {
  const count = Number(ctx.values.count ?? 5)
  if (!Number.isInteger(count) || count < 1 || count > 1e6) {
    ctx.say(`--count is a number from 1 to 1,000,000, not ${JSON.stringify(ctx.values.count)}`)
    return ctx.exitCodes.usage
  }
  return withTarget(ctx, async (store, opts) => {
    const { client } = store.db
    const isServer = isAddress(store.target)
    const times = []
    for (let i = 0; i < count; i++) {
      const start = performance.now()
      // At an address the core is this process.
      if (isServer) await client.call('health', [], opts)
      else await client.call('ping', [i], opts)
      times.push((performance.now() - start) * 1000)
    }
    const sorted = times.slice().sort((a, b) => a - b).map(Math.round)
    const answer = { count, minUs: sorted[0], medianUs: sorted[count >> 1], maxUs: sorted[count - 1] }
    ctx.print(answer, `${count} of ${count} answered: fastest ${answer.minUs} µs, ` +
      `median ${answer.medianUs} µs, slowest ${answer.maxUs} µs`)
  }, { servers: true })
}

module.exports = {
  name: 'ping',
  summary: 'ask a daemon whether it answers, and how fast',
  usage: 'ping --target ipc:///…|postgres://… [--count N]',
  help,
  options: { ...options, count: { type: 'string', short: 'n', help: 'how many times: 5' } },
  run
}
