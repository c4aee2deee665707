'use strict'

// Processor time of both sides of a hop, a request.

const fs = require('node:fs')
const { now } = require('./loop')

const TICK_US = 10000 // the unit of /proc/<pid>/stat: USER_HZ is 100 on Linux
const UTIME = 11 // counted after the name of the program
const STIME = 12

/** Processor time of a process, all its threads, in microseconds. */
function cpuOf (pid) {
  return scheduled(pid) ?? counted(pid)
}

// The scheduler's clock, in nanoseconds; null where the kernel keeps none.
function scheduled (pid) {
  try {
    let sum = 0
    for (const thread of fs.readdirSync(`/proc/${pid}/task`)) {
      sum += Number(fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
    }
    return sum > 0 ? sum / 1000 : null
  } catch {
    return null
  }
}

/** The same of a process and of all that it has started. */
function cpuOfTree (pid) {
  return childrenOf(pid).reduce((sum, child) => sum + cpuOfTree(child), cpuOf(pid))
}

function childrenOf (pid) {
  return fs.readdirSync(`/proc/${pid}/task`).flatMap(thread =>
    fs.readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number))
}

function counted (pid) {
  const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[UTIME]) + Number(fields[STIME])) * TICK_US
}

function own () {
  const { user, system } = process.cpuUsage()
  return user + system
}

/**
 * Runs a round and adds to what it returns the microseconds of processor time
 * for each operation: cpuClient of this process, cpuServer of the process `pid`,
 * cpuBoth their sum. Without a pid both sides are this process, and only their
 * sum is known.
 */
async function withCpu (pid, round) {
  const server = pid ? cpuOf(pid) : 0
  const client = own()
  const start = now()
  const result = await round()
  const operations = result.rate * (now() - start) / 1000
  const cpuClient = (own() - client) / operations
  if (!pid) return { ...result, cpuBoth: cpuClient }
  const cpuServer = (cpuOf(pid) - server) / operations
  return { ...result, cpuClient, cpuServer, cpuBoth: cpuClient + cpuServer }
}

module.exports = { cpuOf, cpuOfTree, withCpu }
