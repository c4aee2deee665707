'use strict'

// The cache's hit ratios on traces of real accesses, in C and without a door:
// bench/c/hits.c, which prints what this reads. The traces are read in place.

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

function read (text) {
  const [head, ...lines] = text.trim().split('\n').map(line => line.trim().split(/\s+/))
  return lines.map(cells => {
    const row = Object.fromEntries(head.map((name, i) => [name, Number(cells[i])]))
    return { ...row, name: `${cells[0]} with room for ${cells[1]}` }
  })
}

t.test('hit ratios', { skip: missing() }, t => {
  const program = buildHits()
  t.ok(program, 'built')
  for (const seed of SEEDS) {
    const { status, stdout } = spawnSync(program, [traces, seed], { encoding: 'utf8' })
    t.equal(status, 0, `seed ${seed}`)
    t.comment('\n' + stdout)
    const rows = read(stdout)
    t.equal(rows.length, 12, 'every trace and capacity')
    for (const row of rows) {
      const best = Math.max(...RIVALS.map(rival => row[rival]))
      t.ok(row.undercroft >= best - POINTS && row.undercroft <= row.OPT,
        `${row.name}: ${row.undercroft}, at most ${POINTS} points below ${best}`)
    }
    const distance = name => rows.reduce((sum, row) => sum + row.OPT - row[name], 0) / rows.length
    for (const rival of RIVALS) {
      t.ok(distance('undercroft') < distance(rival),
        `${distance('undercroft').toFixed(2)} from the optimum on average, ${rival} ${distance(rival).toFixed(2)}`)
    }
  }
  t.end()
})
