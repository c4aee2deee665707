'use strict'

// The files with the results of a door, from the raw rounds of one run.

const fs = require('node:fs')
const path = require('node:path')
const cases = require('./cases')
const { rowsOf } = require('./rows')
const { chart } = require('./chart')
const addon = require('./markdown-addon')
const ipc = require('./markdown-ipc')
const cache = require('./markdown-cache')
const log = require('./markdown-log')
const deploy = require('./markdown-deploy')
const http = require('./markdown-http')
const pg = require('./markdown-pg')

const BENCH = path.join(__dirname, '..')

const pages = { addon, ipc, cache, log, deploy, http, pg }

function write (door, run, say) {
  fs.writeFileSync(path.join(BENCH, door.files.json), `${JSON.stringify(run)}\n`)
  render(door, run, say)
}

function rewrite (door, say) {
  const file = path.join(BENCH, door.files.json)
  if (fs.existsSync(file)) render(door, JSON.parse(fs.readFileSync(file, 'utf8')), say)
  else say(`bench/${door.files.json} is not there: --door ${door.name} --write measures it`)
}

function render (door, run, say) {
  const table = tableOf(door, run)
  const { markdown, series, heading, isCharted } = pages[door.name]
  const files = {
    [door.files.text]: markdown(run, table),
    [door.files.chart]: chart(run, table, series, heading, isCharted)
  }
  for (const [name, text] of Object.entries(files)) {
    fs.writeFileSync(path.join(BENCH, name), text)
    say(`wrote bench/${name}`)
  }
}

/** [{ test, rows: [{ name, title, …, on: Map(runtime name -> row) }] }] */
function tableOf (door, run) {
  return cases.select(door).map(test => {
    const byName = new Map()
    for (const { runtime, kind, results } of run.cases.filter(it => it.name === test.name)) {
      for (const row of rowsOf(test, results, kind)) {
        if (!byName.has(row.name)) byName.set(row.name, { ...row, on: new Map() })
        byName.get(row.name).on.set(runtime, row)
      }
    }
    return { test, rows: [...byName.values()] }
  }).filter(({ rows }) => rows.length)
}

module.exports = { write, rewrite }
