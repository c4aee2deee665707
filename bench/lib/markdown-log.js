'use strict'

// LOG.md: the log beside the loggers of Node. A table as that of the daemon's
// door.

const limits = require('../limits').log
const { intro, limitNotes, versions } = require('./markdown')
const { tableOf } = require('./markdown-ipc')

const NATIVE = 'spdlog in C++'
const node = ['node24', 'node26']
const series = [
  { rival: 'pino', runtimes: node, kind: 'a' },
  { rival: 'pino, async', runtimes: node, kind: 'b' },
  { rival: 'spdlog', runtimes: node, kind: 'c' },
  { rival: 'winston', runtimes: node, kind: 'd' }
]

function markdown (run, table) {
  const all = table.flatMap(({ rows }) => rows)
  return [
    '# Results of the log',
    '',
    '<!-- Written by `npm run bench -- --door log --write`; changes by hand are lost. -->',
    '',
    ...intro(run, 'Everyone writes the same lines to a file on the same disk, and a round ends when all of ' +
      'them are on it (`fsync`) and have been counted'),
    '',
    '![How many times faster than each rival](log.svg)',
    '',
    '## More is better',
    '',
    'First Undercroft, in bold; then each rival, the median over the rounds of Undercroft ÷ rival, ' +
      'the smallest and largest in brackets, the target after "of". ✓ reached, ✗ faster but below ' +
      `its target, ▼ slower than the rival. A row without a target is reported as it is; ${NATIVE} ` +
      'is the native mark and no rival.',
    '',
    ...tableOf(run, all.filter(row => row.better === 'higher'), NATIVE),
    '',
    '## Less is better',
    '',
    'The ratio is rival ÷ Undercroft. What a stalled disk and 1 GB of lines do, and what is lost when ' +
      'a process is killed, is one measurement each.',
    '',
    ...tableOf(run, all.filter(row => row.better === 'lower'), NATIVE),
    '',
    ...limitNotes(all, limits),
    '## What was measured',
    '',
    ...versions(run),
    ''
  ].join('\n')
}

module.exports = { markdown, series }
