'use strict'

// What nobody needs any more: releases beyond those that are kept, the output of services that are gone,
// programs that nobody runs.

const fs = require('node:fs')
const path = require('node:path')
const proc = require('../host/proc')
const releases = require('../host/releases')
const sources = require('../launcher/sources')
const { readState } = require('../host/state')

/**
 * @param {object} ctx
 * @returns {string[]} ids of the releases that were removed
 */
function clean (ctx) {
  const { app, config } = ctx
  const removed = releases.prune(app, { keep: config.keep }, (warning) => ctx.event({ warning }))
  const known = new Set(releases.all(app))
  for (const name of namesIn(app.out)) {
    const id = /^(.+)\.\d+\.log(\.1)?$/.exec(name)?.[1]
    if (releases.isId(id) && !known.has(id)) fs.rmSync(path.join(app.out, name), { force: true })
  }
  const { daemon } = readState(app.state)
  const used = [sources.install(ctx), daemon && path.dirname(daemon.command[0])]
  for (const folder of [app.agent, path.join(app.deploy, 'daemon')]) {
    for (const name of namesIn(folder)) {
      const one = path.join(folder, name)
      if (/^[0-9a-f]{16}$/.test(name) && !used.includes(one) && !isRun(one)) fs.rmSync(one, { recursive: true, force: true })
    }
  }
  return removed
}

// By a supervisor or a daemon that an earlier version has started.
function isRun (folder) {
  return proc.pids().some((pid) => proc.command(pid).includes(`${folder}/`))
}

function namesIn (folder) {
  try {
    return fs.readdirSync(folder)
  } catch (err) {
    if (err.code === 'ENOENT') return []
    throw err
  }
}

module.exports = { clean }
