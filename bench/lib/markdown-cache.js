'use strict'

// CACHE.md: the cache, in the process and behind the daemon. A table as that of
// the daemon's door, and the hit ratios.

const limits = require('../limits').cache
const { intro, limitNotes, versions } = require('./markdown')
const { tableOf } = require('./markdown-ipc')
const { hitTable } = require('./hits')

const node = ['node24', 'node26']
const series = [
  { rival: 'lru-cache', runtimes: node, kind: 'a' },
  { rival: 'ioredis', runtimes: node, kind: 'b' },
  { rival: 'redis', runtimes: node, kind: 'c' },
  { rival: 'lmdb', runtimes: node, kind: 'd' }
]

function markdown (run, table) {
  const all = table.flatMap(({ rows }) => rows)
  return [
    '# Results of the cache',
    '',
    '<!-- Written by `npm run bench -- --door cache --write`; changes by hand are lost. -->',
    '',
    ...intro(run),
    '',
    '![How many times faster than each rival](cache.svg)',
    '',
    '## More is better',
    '',
    'First Undercroft, in bold; then each rival, the median over the rounds of Undercroft ÷ rival, ' +
      'the smallest and largest in brackets, the target after "of". ✓ reached, ✗ faster but below ' +
      'its target, ▼ slower than the rival. A row without a target is reported as it is.',
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
    ...(run.hits ? ['## Hit ratios', '', ...hitTable(run.hits), ''] : []),
    '## What was measured',
    '',
    ...versions(run),
    ''
  ].join('\n')
}

module.exports = { markdown, series }
