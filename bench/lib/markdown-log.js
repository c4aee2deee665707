'use strict'

// LOG.md: the log beside the loggers of Node.

const limits = require('../limits').log
const { page, tableOf, limitNotes, MORE_IS_BETTER } = require('./markdown')

const NATIVE = 'spdlog in C++'
const node = ['node24', 'node26']
const series = [
  { rival: 'pino', runtimes: node, kind: 'a' },
  { rival: 'pino, async', runtimes: node, kind: 'b' },
  { rival: 'spdlog', runtimes: node, kind: 'c' },
  { rival: 'winston', runtimes: node, kind: 'd' }
]

// What the chart is called.
const heading = 'The log, against pino, spdlog and winston: times faster'

function markdown (run, table) {
  const all = table.flatMap(({ rows }) => rows)
  return page(run, {
    title: 'Results of the log',
    flags: '--door log ',
    chart: 'log.svg',
    same: 'Everyone writes the same lines to a file on the same disk, and a round ends when all of ' +
      'them are on it (`fsync`) and have been counted',
    body: [
      '## More is better',
      '',
      `${MORE_IS_BETTER} ${NATIVE} is the native mark and no rival.`,
      '',
      ...tableOf(run, all.filter(row => row.better === 'higher'), { limitName: NATIVE }),
      '',
      '## Less is better',
      '',
      'The ratio is rival ÷ Undercroft. What a stalled disk and 1 GB of lines do, and what is lost when ' +
        'a process is killed, is one measurement each.',
      '',
      ...tableOf(run, all.filter(row => row.better === 'lower'), { limitName: NATIVE }),
      '',
      ...limitNotes(all, limits)
    ]
  })
}

module.exports = { heading, markdown, series }
