'use strict'

// Which processes have a file open, looked at every few milliseconds: how many at once, and who in all.

const fs = require('node:fs')
const proc = require('../../../deploy/agent/host/proc')

/** @returns {{ stop: () => Promise<{ most: number, looks: number, all: Set<number> }> }} all: pids */
function watchOwners (file) {
  const found = { most: 0, looks: 0, all: new Set() }
  let goesOn = true
  const done = (async () => {
    while (goesOn) {
      look(file, found)
      await new Promise((resolve) => { setTimeout(resolve, 5) })
    }
  })()
  return {
    async stop () {
      goesOn = false
      await done
      return found
    }
  }
}

// One after the other, which takes a while: two had it at once where the first still has it when the second was seen.
function look (file, found) {
  const now = proc.pids().filter((pid) => hasOpen(pid, file))
  const beside = now.slice(0, -1).filter((pid) => hasOpen(pid, file)).length
  for (const pid of now) found.all.add(pid)
  found.most = Math.max(found.most, now.length === 0 ? 0 : 1 + beside)
  found.looks++
}

function hasOpen (pid, file) {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === file)
  } catch {
    return false
  }
}

function linkOf (file) {
  try {
    return fs.readlinkSync(file)
  } catch {
    return null
  }
}

module.exports = { watchOwners }
