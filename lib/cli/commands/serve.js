'use strict'
// npx undercroft serve: runs undercroftd in the foreground. Its command line is
// the daemon's own, which is why nothing is parsed here.

const { spawn, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const { constants } = require('node:os')
const { daemonPath } = require('../../base/binding')
const { starters } = require('../starters')

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP']

const help = `
Runs the daemon in the foreground until it is told to stop (SIGTERM, Ctrl-C):

  npx undercroft serve --listen ipc:///run/app/undercroft.sock --db app.db

Other processes then open ipc:///run/app/undercroft.sock instead of the file. It
ends with the process that has started it, through npm or a shell too; setsid(1)
lets it stay. A system service had better start undercroftd itself, without a Node process around
it: csrc/daemon/undercroft.service is a unit for systemd.
`

/** -> exit code: the daemon's own */
function run ({ args, say, exitCodes }) {
  let program
  try {
    program = daemonPath()
  } catch (err) {
    say(err.message)
    return exitCodes.lacking
  }
  if (args.includes('--help') || args.includes('-h')) {
    const { stdout } = spawnSync(program, ['--help'], { encoding: 'utf8' })
    console.log(`usage: npx undercroft serve [options of undercroftd]\n${help}\n${stdout}`)
    return exitCodes.ok
  }
  // Before anything else, while they are there.
  const endWith = starters()
  if (typeof process.execve === 'function') become(program, withEnds(args, endWith))
  return new Promise((resolve, reject) => {
    const child = spawn(program, withEnds(args, [process.pid, ...endWith]), { stdio: 'inherit' })
    // A signal for this process is one for the daemon, which ends in good order;
    // Ctrl-C in a terminal reaches both, and twice would be too hasty an end.
    const forward = (signal) => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    }
    for (const signal of FORWARDED) process.on(signal, forward)
    child.once('error', (err) => {
      reject(new Error(`${program} could not be started: ${err.message}`))
    })
    child.once('exit', (code, signal) => {
      for (const name of FORWARDED) process.off(name, forward)
      resolve(signal === null ? code : 128 + constants.signals[signal])
    })
  })
}

const withEnds = (args, pids) => [...args, ...pids.flatMap(pid => ['--end-with', String(pid)])]

// This process becomes the daemon, so that who ends it ends the daemon. Returns only where it cannot:
// Node has no error for that, but ends with a core dump.
function become (program, args) {
  try {
    fs.accessSync(program, fs.constants.X_OK)
    if (!fs.statSync(program).isFile()) return
  } catch {
    return
  }
  process.execve(program, [program, ...args], process.env)
}

module.exports = {
  name: 'serve',
  summary: 'run the daemon that serves databases to other processes',
  usage: 'serve --listen ipc:///… --db [name=]FILE …',
  help,
  options: {},
  raw: true,
  run
}
