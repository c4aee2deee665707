'use strict'
// npx undercroft status: what serves this socket, and is it well?

const { pairs, bytes, duration } = require('../../base/format')
const { options, withTarget } = require('../target')

const help = `
Shows the process behind the socket, its connections and databases, and whether
the database answers. Fails when it does not.
`

async function run (ctx) {
  return withTarget(ctx, async (store, opts) => {
    const door = await store.door(opts)
    const health = await store.db.health(opts)
    ctx.print({ ...door, health }, pairs([
      ['daemon', `undercroftd ${door.version}, process ${door.pid}, up for ${duration(door.uptimeMs)}`],
      ['memory', bytes(door.rssBytes)],
      ['connections', `${door.connections} now, ${door.accepted} in all, ${door.refused} refused`],
      ['requests', `${door.requests}: ${bytes(door.bytesIn)} in, ${bytes(door.bytesOut)} out`],
      ...door.dbs.map(({ name, path }) => ['database', `${name} in ${path}`]),
      ['health', health.ok ? `ok${health.sqlite === undefined ? '' : `, SQLite ${health.sqlite}`}` : 'does not answer']
    ]))
    return health.ok ? ctx.exitCodes.ok : ctx.exitCodes.failed
  })
}

module.exports = {
  name: 'status',
  summary: 'what a daemon is doing, and whether it is well',
  usage: 'status --target ipc:///… [--db NAME]',
  help,
  options,
  run
}
