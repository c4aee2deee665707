'use strict'

// Processes as /proc tells of them (proc(5)). A pid alone names nobody: it is given out again. What
// is kept of a process is its pid and its birth, the start time in clock ticks since boot together
// with the boot's own id, so that neither a later process nor another boot is mistaken for it.

const fs = require('node:fs')

let bootId

function boot () {
  bootId ??= fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8)
  return bootId
}

/** @returns {string|null} what tells this process from all others with its pid; null: there is none */
function birth (pid) {
  const stat = statOf(pid)
  return stat === null || stat.state === 'Z' || stat.state === 'X' ? null : `${stat.ticks}.${boot()}`
}

// { ppid, pgrp, state, ticks }; null when the process is gone.
function statOf (pid) {
  let text
  try {
    text = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return null
  }
  // The name stands in parentheses and may hold any byte, parentheses too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0], ppid: Number(fields[1]), pgrp: Number(fields[2]), ticks: fields[19] }
}

/** Whether the very process lives that `who` ({ pid, born }) was written down for. */
function isAlive (who) {
  return who !== null && who !== undefined && Number.isInteger(who.pid) && who.pid > 1 && birth(who.pid) === who.born
}

/** Sends the signal if the process is still the one. @returns {boolean} whether it was sent */
function signal (who, name) {
  if (!isAlive(who)) return false
  try {
    process.kill(who.pid, name)
    return true
  } catch (err) {
    if (err.code === 'ESRCH') return false
    throw err
  }
}

function pids () {
  return fs.readdirSync('/proc').filter((name) => name >= '1' && name < ':').map(Number)
}

/** All processes below `roots`, and these; those that have died are left out. @returns {number[]} */
function tree (roots) {
  const children = new Map()
  for (const pid of pids()) {
    const stat = statOf(pid)
    if (stat === null || stat.state === 'Z') continue
    if (!children.has(stat.ppid)) children.set(stat.ppid, [])
    children.get(stat.ppid).push(pid)
  }
  const found = new Set()
  const visit = (pid) => {
    if (found.has(pid)) return
    found.add(pid)
    for (const child of children.get(pid) ?? []) visit(child)
  }
  for (const pid of roots) if (birth(pid) !== null) visit(pid)
  return [...found]
}

/**
 * The processes of a slot, also those that lost their parent: a supervisor has the slot's file as an
 * argument, and a service, with all it starts, its name in the environment.
 * @param {string} slot  path of the slot's file
 * @returns {Array<{ pid: number, born: string, supervisor: boolean }>}
 */
function ofSlot (slot) {
  const found = []
  for (const pid of pids()) {
    if (pid === process.pid) continue
    const isSupervisor = strings(`/proc/${pid}/cmdline`).includes(slot)
    if (!isSupervisor && !strings(`/proc/${pid}/environ`).includes(`UNDERCROFT_SLOT=${slot}`)) continue
    const born = birth(pid)
    if (born !== null) found.push({ pid, born, supervisor: isSupervisor })
  }
  return found
}

// Those of other users cannot be read, and are not ours.
function strings (file) {
  try {
    return fs.readFileSync(file, 'utf8').split('\0')
  } catch {
    return []
  }
}

/**
 * The processes that stand in a folder or below it, of those whose folder may be seen.
 * @param {string} folder
 * @returns {Array<{ pid: number, born: string }>}
 */
function within (folder) {
  const found = []
  for (const pid of pids()) {
    if (pid === process.pid) continue
    const cwd = cwdOf(pid)
    if (cwd !== folder && !cwd.startsWith(`${folder}/`)) continue
    const born = birth(pid)
    if (born !== null) found.push({ pid, born })
  }
  return found
}

function cwdOf (pid) {
  try {
    return fs.readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return '' // of another user, or it has ended
  }
}

/**
 * The processes that have a variable with this value in their environment.
 * @param {string} name
 * @param {string} value
 * @returns {Array<{ pid: number, born: string }>}
 */
function withVariable (name, value) {
  return pids().filter((pid) => pid !== process.pid && strings(`/proc/${pid}/environ`).includes(`${name}=${value}`))
    .map((pid) => ({ pid, born: birth(pid) })).filter(({ born }) => born !== null)
}

/** @returns {string} the command line, at most 200 characters; '' when it may not be read */
function command (pid) {
  return strings(`/proc/${pid}/cmdline`).join(' ').trim().slice(0, 200)
}

/** Resident memory of the processes in bytes. */
function memory (list) {
  let bytes = 0
  for (const pid of list) {
    try {
      const line = /^VmRSS:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))
      if (line !== null) bytes += Number(line[1]) * 1024
    } catch {
      // It has ended.
    }
  }
  return bytes
}

module.exports = { birth, command, isAlive, memory, ofSlot, pids, signal, statOf, tree, withVariable, within }
