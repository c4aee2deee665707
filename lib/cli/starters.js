'use strict'
// Who has started this command: the processes with which a daemon ends that was started by hand.

const fs = require('node:fs')
const path = require('node:path')

const SHELLS = new Set(['sh', 'ash', 'bash', 'dash', 'ksh', 'zsh'])
const MANAGERS = /^(npm|npx|pnpm|pnpx|yarn|bunx)(-cli)?(\.[cm]?js)?$/
// A chain of scripts that call scripts has an end.
const MOST = 16

/**
 * The parent, and what stands between it and who gave the command: npm tells a shell to start it, and
 * a signal for npm ends the two of them and nothing else. A process in another session (setsid)
 * wants to be left alone. Empty where there is no /proc.
 *
 * @returns {number[]} pids, nearest first
 */
function starters () {
  const found = []
  const session = look(process.pid)?.session
  let pid = process.ppid
  // 1 is who takes in orphans, or in a container the one with which everything ends.
  while (pid > 1 && found.length < MOST) {
    const one = look(pid)
    if (one === null || one.session !== session) break
    if (found.length > 0 && !isBetween(one.args)) break
    found.push(pid)
    if (!isBetween(one.args)) break
    pid = one.parent
  }
  return found
}

// proc(5): the name, in brackets, may hold anything.
function look (pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const args = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return { parent: Number(parent), session, args }
  } catch {
    return null
  }
}

// A package manager, or a shell with a command: nobody who waits for anything else.
function isBetween ([program, first = '', second = '']) {
  const name = path.basename(program)
  // npm writes what it does over its arguments: `npm exec undercroft serve`.
  if (/^npm /.test(program) || MANAGERS.test(name)) return true
  if (SHELLS.has(name)) return /^-[a-z]*c$/.test(first) || (first.startsWith('-') && /^-[a-z]*c$/.test(second))
  if (name === 'bun') return ['run', 'x'].includes(first)
  return name.startsWith('node') && MANAGERS.test(path.basename(first))
}

module.exports = { starters }
