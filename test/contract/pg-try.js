'use strict'
// Contract suites on PostgreSQL: UNDERCROFT_PG=host:port of a server.
const t = require('tap')
const { execFileSync } = require('node:child_process')
const { fileTimeoutMs, suites, addonDoor } = require('../helper')
let count = 0
function pgDoor () {
  const base = addonDoor()
  const file = () => {
    const name = `uc${process.pid}_${++count}`
    execFileSync('psql', ['-qX', '-h', '/tmp/pgt', '-p', '5544', '-U', 'postgres', 'postgres', '-c', `create database ${name}`])
    return `postgres://postgres@/${name}?host=/tmp/pgt&port=5544`
  }
  const open = (t, options) => base.at(t, file(), options)
  Object.assign(open, { door: 'addon', sync: false, owner: true, file, at: base.at, engine: 'pg' })
  return open
}
t.setTimeout(fileTimeoutMs)
const only = process.argv[2]
for (const [name, suite] of suites('addon')) if (!only || only.split(',').includes(name)) t.test(name, async (t) => suite(t, pgDoor()))
