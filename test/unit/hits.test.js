'use strict'

// The cache's hit ratios on traces of real accesses, in C and without a door:
// bench/c/hits.c, which prints what this reads. The traces are read in place, and
// beside our own versions of the rivals count the figures that come with them.

const t = require('tap')
const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { buildHits } = require('../../bench/c/build')
const { root } = require('../helper')

const traces = process.env.UNDERCROFT_TRACES || path.join(root, '../shared/traces')
const RIVALS = ['LRU', 'TinyLFU', 'S3-FIFO']
const POINTS = 2
// The random seed decides which keys share a counter of the sketch.
const SEEDS = ['1', '2', '3']

function missing () {
  if (!fs.existsSync(traces)) return `no traces in ${traces}`
  for (const tool of [process.env.CC || 'cc', 'zcat', 'xzcat']) {
    if (spawnSync(tool, ['--version']).error) return `no ${tool}`
  }
  return false
}

function reference () {
  const text = fs.readFileSync(path.join(traces, 'README.md'), 'utf8')
  const cells = text.split('\n').map(line => line.split('|').slice(1, -1).map(cell => cell.trim()))
  const head = cells.find(row => row[0] === 'trace' && row[1] === 'capacity') ?? []
  return cells.filter(row => row.length === head.length && /^\d+$/.test(row[1]))
    .map(row => Object.fromEntries(head.map((name, i) => [name, i > 0 ? Number(row[i]) : row[i]])))
}

function read (text) {
  const [head, ...lines] = text.trim().split('\n').map(line => line.trim().split(/\s+/))
  return lines.map(cells => {
    const row = Object.fromEntries(head.map((name, i) => [name, Number(cells[i])]))
    return { ...row, trace: cells[0], name: `${cells[0]} with room for ${cells[1]}` }
  })
}

t.test('hit ratios', { skip: missing() }, t => {
  const program = buildHits()
  const given = reference()
  t.equal(given.length, 12, 'figures that come with the traces')
  t.ok(program, 'built')
  for (const seed of SEEDS) {
    const { status, stdout } = spawnSync(program, [traces, seed], { encoding: 'utf8' })
    t.equal(status, 0, `seed ${seed}`)
    t.comment('\n' + stdout)
    const rows = read(stdout)
    t.equal(rows.length, 12, 'every trace and capacity')
    for (const row of rows) {
      const other = given.find(({ trace, capacity }) => trace === row.trace && capacity === row.capacity)
      const best = Math.max(...RIVALS.flatMap(rival => [row[rival], other[rival]]))
      t.ok(row.undercroft >= best - POINTS && row.undercroft <= row.OPT,
        `${row.name}: ${row.undercroft}, at most ${POINTS} points below ${best}`)
    }
    const distance = (of, name) => of.reduce((sum, row) => sum + row.OPT - row[name], 0) / of.length
    const ours = distance(rows, 'undercroft')
    for (const rival of RIVALS) {
      const theirs = Math.min(distance(rows, rival), distance(given, rival))
      t.ok(ours < theirs, `${ours.toFixed(2)} from the optimum on average, ${rival} ${theirs.toFixed(2)}`)
    }
  }
  t.end()
})
