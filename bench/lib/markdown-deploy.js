'use strict'

// DEPLOY.md: deployments beside what they are done with otherwise.

const limits = require('../limits').deploy
const { page, tableOf, limitNotes } = require('./markdown')

const node = ['node24', 'node26', 'node20']
const series = [
  { rival: 'rsync', runtimes: node, kind: 'a' },
  { rival: 'scp', runtimes: node, kind: 'b' }
]

// What the chart is called.
const heading = 'Deployments, against rsync and scp: times faster'

function markdown (run, table) {
  const all = table.flatMap(({ rows }) => rows)
  return page(run, {
    title: 'Results of deployments',
    flags: '--door deploy ',
    chart: 'deploy.svg',
    same: 'Everyone talks to an OpenSSH server of its own on the same machine, with the same ' +
      'configuration, key and cipher, and brings the same files into a folder of the same disk',
    body: [
      'First Undercroft, in bold; then each rival with its value, the median over the rounds of the ' +
        'ratio in Undercroft\'s favour, the smallest and largest in brackets, the target after "of". ' +
        '✓ reached, ▼ below 1. The target of an upload is at most 1.5 times (0.67×) and, with ten files ' +
        'changed, at most twice (0.5×) the time of `rsync -a`. Undercroft reads every file there again ' +
        'and compares its sha256, keeps the release before beside the new one, and waits for the disk; ' +
        'rsync compares size and time, overwrites the folder, and does not wait.',
      '',
      '100 deployments in a row under a constant load: connections that are kept and such for one ' +
        'request, GETs and POSTs of orders with numbers of their own, through the same nginx, counted by ' +
        'the checker of the tests. A request fails when its answer is missing, cut, wrong or an error; an ' +
        'order is lost when it was answered and is not in the database. Undercroft\'s deployment is the whole ' +
        'command over SSH, upload and proof included; that of pm2 is `pm2 reload` of two processes.',
      '',
      ...tableOf(run, all),
      '',
      ...limitNotes(all, limits)
    ]
  })
}

module.exports = { heading, markdown, series }
