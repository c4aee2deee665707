#!/usr/bin/env node
'use strict'

// <runtime> supervisor.js <slot file>: keeps one service running where there is no systemd. It is left
// behind by the agent, in a session of its own, and needs nobody: it starts the service again when it
// dies, and brings it to its end when it is told to (SIGTERM; a second one: at once).
//
// The slot's file says what to start. Without it nothing is started: taking it away is how another agent
// makes sure that a supervisor which it has not found yet does nothing.

const fs = require('node:fs')
const { spawn } = require('node:child_process')
const disk = require('../host/disk')
const proc = require('../host/proc')
const { connectionsOf } = require('../host/listeners')

const FIRST_MS = 100 // of the back-off, which doubles up to LAST_MS
const LAST_MS = 10_000
const CALM_MS = 30_000 // a service that has run for so long is started again at once
const OUT_BYTES = 16 * 1024 * 1024 // of the service's output; one older piece of that size is kept
const OUT_EVERY_MS = 1000

class Supervisor {
  #file
  #slot
  #child = null
  #since = 0
  #backoff = FIRST_MS
  #timer = null
  #stopping = null
  #status

  constructor (file, slot) {
    this.#file = file
    this.#slot = slot
    this.#status = { pid: process.pid, born: proc.birth(process.pid), child: null, restarts: 0, exit: null, since: null, end: null }
  }

  run () {
    // The terminal, or the connection, that it was started from is none of its business.
    process.on('SIGHUP', () => {})
    process.on('SIGTERM', () => this.#stop())
    process.on('SIGINT', () => this.#stop())
    setInterval(() => this.#bound(), OUT_EVERY_MS).unref()
    this.#start()
  }

  #start () {
    if (this.#stopping !== null || !fs.existsSync(this.#file)) return this.#end()
    const { command: [file, ...args], cwd, env, out, socket } = this.#slot
    // One that was killed has left it behind, and not every service knows that it may be replaced.
    if (this.#status.restarts > 0) fs.rmSync(socket, { force: true })
    this.#since = Date.now()
    // It writes into the file itself: an end of this process cannot take its output from it.
    const fd = fs.openSync(out, 'a', 0o640)
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', fd, fd], detached: true })
    fs.closeSync(fd)
    this.#child = child
    child.once('error', (err) => this.#over(child, null, null, err.message))
    child.once('exit', (code, signal) => this.#over(child, code, signal))
    if (child.pid === undefined) return
    this.#tell({ child: { pid: child.pid, born: proc.birth(child.pid) }, since: new Date().toISOString() })
  }

  #over (child, code, signal, error) {
    if (child !== this.#child) return
    this.#child = null
    const ranMs = Date.now() - this.#since
    this.#tell({ child: null, exit: { code, signal, error, ranMs, at: new Date().toISOString() } })
    this.#leftovers(child.pid)
    if (this.#stopping !== null || !fs.existsSync(this.#file)) return this.#end()
    if (ranMs >= CALM_MS) this.#backoff = FIRST_MS
    // Between a half and the whole: services that died of the same cause do not come back in step.
    const wait = Math.round(this.#backoff * (0.5 + Math.random() / 2))
    this.#backoff = Math.min(this.#backoff * 2, LAST_MS)
    this.#say(`${error ?? `ended with ${signal ?? `code ${code}`}`} after ${ranMs} ms; started again in ${wait} ms`)
    this.#timer = setTimeout(() => {
      this.#status.restarts++
      this.#start()
    }, wait)
  }

  // What the service has started is its own affair while it lives, and nobody's afterwards.
  #leftovers (pid) {
    if (pid !== undefined) this.#kill(pid, 'SIGKILL')
  }

  #stop () {
    if (this.#stopping !== null) return this.#force('it was told to a second time')
    const { drainMs, killMs } = this.#slot
    this.#stopping = Date.now()
    clearTimeout(this.#timer)
    if (this.#child === null) return this.#end()
    this.#child.kill('SIGTERM')
    this.#timer = setTimeout(() => this.#force(`it had not ended ${drainMs + killMs} ms after SIGTERM`), drainMs + killMs)
  }

  #force (why) {
    const child = this.#child
    if (child === null || this.#status.end !== null) return
    const open = connectionsOf(proc.tree([child.pid]), this.#slot.port, this.#slot.socket)
    this.#say(`killed: ${why}; open were ${open.tcp} connections to the port and ${open.unix} to the socket`)
    this.#tell({ end: { how: 'killed', why, open } })
    this.#kill(child.pid, 'SIGKILL')
  }

  // The service is the head of a process group of its own.
  #kill (pid, name) {
    try {
      process.kill(-pid, name)
    } catch (err) {
      if (err.code !== 'ESRCH') throw err
    }
  }

  #end () {
    const { exit, end } = this.#status
    const ms = this.#stopping === null ? 0 : Date.now() - this.#stopping
    this.#tell({ end: { how: 'exited', ...end, ...(exit !== null && { code: exit.code, signal: exit.signal }), ms } })
    process.exit(0)
  }

  #tell (more) {
    Object.assign(this.#status, more)
    try {
      disk.writeAtomic(this.#slot.status, JSON.stringify(this.#status), { mode: 0o600, sync: false })
    } catch (err) {
      // A full disk is no reason to end the service.
      if (err.code !== 'ENOSPC' && err.code !== 'ENOENT') throw err
    }
  }

  #say (text) {
    try {
      fs.appendFileSync(this.#slot.out, `undercroft: ${text}\n`)
    } catch {
      // As above.
    }
  }

  // The service appends to the file whatever its length is, so it can be emptied under its hands. What is
  // written between the copy and the cut is lost: a log belongs into lib/log, this is for last words.
  #bound () {
    const { out } = this.#slot
    try {
      if (fs.statSync(out).size < OUT_BYTES) return
      fs.copyFileSync(out, `${out}.1`)
      fs.truncateSync(out, 0)
    } catch (err) {
      if (err.code === 'ENOSPC') fs.truncateSync(out, 0)
    }
  }
}

function main (file) {
  let slot
  try {
    slot = JSON.parse(fs.readFileSync(file, 'utf8'))
  } catch (err) {
    if (err.code === 'ENOENT') return // not wanted any more
    throw err
  }
  new Supervisor(file, slot).run()
}

main(process.argv[2])
