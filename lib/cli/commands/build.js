'use strict'
// npx undercroft build: compiles the addon from the sources in the package, for
// a platform that the package brings no binary for.

const path = require('node:path')
const { execFileSync } = require('node:child_process')
const { check, checkDaemon, checkHttp } = require('../../../csrc/find-lib')
const native = require('../native')

const help = `
Compiles SQLite and Undercroft's core into build/Release/undercroft.node inside
the installed package; from then on it is what opening a file loads. It needs a
C and C++ compiler, make, Python 3, node-gyp (npm brings it), the headers of this
Node (they are downloaded when they were not installed with it) and msgpack-c,
zlib, zstd, jansson, Mbed TLS, utf8proc and c-ares with their static libraries
(Debian: libmsgpack-dev zlib1g-dev libzstd-dev libjansson-dev libmbedtls-dev
libutf8proc-dev libc-ares-dev), and says which of them it misses. It takes one to
three minutes.

Where nng and libuv are installed as well (Debian: libnng-dev libuv1-dev) it also
compiles undercroftd, the daemon, and where llhttp is, its door for HTTP
(libllhttp-dev; on Debian 12 node-llhttp).
`

async function run ({ values, say, print, exitCodes }) {
  const lacking = check()
  const commands = native.commands(values.lto ? { lto: 1 } : {})
  if (!commands) {
    lacking.push('node-gyp is not there: it comes with npm, so run this through npm: `npx undercroft build`')
  }
  if (lacking.length) {
    say('the addon cannot be built here yet:')
    for (const line of lacking) say(`  - ${line}`)
    return exitCodes.lacking
  }

  const started = Date.now()
  const clear = native.placeGyp()
  try {
    for (const command of commands) {
      say(`$ ${[path.basename(command[0]), ...command[1]].join(' ')}`)
      const { code, text } = await native.run(command, { quiet: !values.verbose })
      if (code !== 0) {
        if (!values.verbose) say(text.split('\n').slice(-40).join('\n'))
        say('the build failed')
        return exitCodes.failed
      }
    }
  } finally {
    clear()
  }
  const seconds = Math.round((Date.now() - started) / 1000)

  const failure = loads(native.output)
  if (failure) {
    say(`what was built does not load: ${failure}`)
    return exitCodes.failed
  }
  const without = checkDaemon()
  for (const line of without) say(`undercroftd, the daemon, is left out: ${line}`)
  for (const line of without.length ? [] : checkHttp()) say(`undercroftd has no HTTP: ${line}`)
  const daemon = without.length ? null : native.daemon
  print({ file: native.output, daemon, seconds },
    `built ${native.output}${daemon ? ` and ${daemon}` : ''} in ${seconds} s`)
}

// In a process of its own: a binary that crashes while loading must not take
// the answer with it. -> null, or what it said
function loads (file) {
  try {
    execFileSync(process.execPath, ['-e', `require(${JSON.stringify(file)})`], {
      stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8'
    })
    return null
  } catch (err) {
    return String(err.stderr || err.message).trim().split('\n').slice(0, 8).join('\n')
  }
}

module.exports = {
  name: 'build',
  summary: 'compile the addon from the sources in this package',
  usage: 'build [--verbose] [--lto]',
  help,
  options: {
    verbose: { type: 'boolean', help: 'show all that the compiler says' },
    lto: { type: 'boolean', help: 'optimise across files: slower to build' }
  },
  run
}
