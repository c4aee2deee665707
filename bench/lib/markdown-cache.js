'use strict'

// CACHE.md: the cache, in the process and behind the daemon, and the hit ratios.

const limits = require('../limits').cache
const { page, tableOf, limitNotes, MORE_IS_BETTER } = require('./markdown')
const { hitTable } = require('./hits')

const node = ['node24', 'node26']
const series = [
  { rival: 'lru-cache', runtimes: node, kind: 'a' },
  { rival: 'ioredis', runtimes: node, kind: 'b' },
  { rival: 'redis', runtimes: node, kind: 'c' },
  { rival: 'lmdb', runtimes: node, kind: 'd' }
]

// What the chart is called.
const heading = 'The cache, against lru-cache, Redis and lmdb: times faster'

function markdown (run, table) {
  const all = table.flatMap(({ rows }) => rows)
  return page(run, {
    title: 'Results of the cache',
    flags: '--door cache ',
    chart: 'cache.svg',
    body: [
      '## More is better',
      '',
      MORE_IS_BETTER,
      '',
      ...tableOf(run, all.filter(row => row.better === 'higher')),
      '',
      '## Less is better',
      '',
      'The ratio is rival ÷ Undercroft. Memory, loads and stale reads are one measurement each.',
      '',
      ...tableOf(run, all.filter(row => row.better === 'lower')),
      '',
      ...limitNotes(all, limits),
      ...(run.hits ? ['## Hit ratios', '', ...hitTable(run.hits), ''] : [])
    ]
  })
}

module.exports = { heading, markdown, series }
