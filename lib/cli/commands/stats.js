'use strict'
// npx undercroft stats: the counters of one database, the costliest statements first.

const { pairs, table, bytes } = require('../../base/format')
const { anyOptions: options, withTarget } = require('../target')

const SQL_WIDTH = 70

const help = `
Shows what the database of a daemon has done since it was opened: its statements
by the time they took in all, with latencies, its queues, and its WAL with whoever
keeps it from shrinking. --json gives every counter. With the address of a
PostgreSQL database it is what a new process sees of it.
`

async function run (ctx) {
  const top = Number(ctx.values.top ?? 15)
  if (!Number.isInteger(top) || top < 1) {
    ctx.say(`--top is a number of statements, not ${JSON.stringify(ctx.values.top)}`)
    return ctx.exitCodes.usage
  }
  return withTarget(ctx, async (store, opts) => {
    const stats = await store.db.stats(opts)
    ctx.print(stats, stats.engine === 'postgres' ? ofServer(stats, store.target, top) : text(stats, top))
  }, { servers: true })
}

// Of PostgreSQL whatever there is: it has no WAL of ours and no writer.
function ofServer ({ statements = [], ...rest }, target, top) {
  const rows = Object.entries(rest).map(([name, value]) => [name, value !== null && typeof value === 'object'
    ? Object.entries(value).map(([key, one]) => `${key} ${describe(one)}`).join(', ')
    : String(value)])
  return [pairs([['database', target], ...rows]), ...costliest(statements, top)].join('\n\n')
}

function text ({ path, queues, connections, writer, wal, statements }, top) {
  const parts = [
    pairs([
      ['file', path],
      ['queues', `${queues.reads} reads, ${queues.writes} writes, ${queues.waitingReads} reads behind a write, of at most ${queues.max}`],
      ['connections', `${connections.readers} readers, ${connections.pinned} of ${connections.maxPinned} for cursors and snapshots`],
      ['writer', `${writer.calls} calls in ${writer.groups} commits${writer.transactionOpen ? ', a transaction is open' : ''}`],
      ['WAL', `${bytes(wal.bytes)} now, ${bytes(wal.peakBytes)} at most, of ${bytes(wal.capBytes)}; ${wal.checkpoints} checkpoints` +
        (wal.pinnedBy ? `; pinned by ${describe(wal.pinnedBy)}` : '')]
    ])
  ]
  return [...parts, ...costliest(statements, top)].join('\n\n')
}

// -> the table of the statements that took most, and how many more there are
function costliest (statements, top) {
  const costly = statements.slice().sort((a, b) => b.totalMs - a.totalMs)
  const shown = costly.slice(0, top)
  const parts = []
  if (shown.length > 0) {
    parts.push(table(
      ['count', 'errors', 'rows', 'total ms', 'p50 µs', 'p99 µs', 'statement'],
      shown.map(({ count, errors, rows, totalMs, p50Us, p99Us, sql }) => [
        count, errors, rows, Math.round(totalMs), number(p50Us), number(p99Us), oneLine(sql)
      ])))
  }
  if (costly.length > shown.length) parts.push(`and ${costly.length - shown.length} more: --top ${costly.length}`)
  return parts
}

const number = us => typeof us === 'number' ? Number(us.toPrecision(3)) : '–'

const describe = what => typeof what === 'string' ? what : JSON.stringify(what)

function oneLine (sql) {
  const line = sql.replace(/\s+/g, ' ').trim()
  return line.length > SQL_WIDTH ? `${line.slice(0, SQL_WIDTH - 1)}…` : line
}

module.exports = {
  name: 'stats',
  summary: 'the counters of a database: statements, queues, WAL',
  usage: 'stats --target ipc:///…|postgres://… [--db NAME] [--top N]',
  help,
  options: { ...options, top: { type: 'string', help: 'how many statements: 15' } },
  run
}
