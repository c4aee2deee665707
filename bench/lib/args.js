'use strict'

// The command line, and how long each mode measures.

const { parseArgs } = require('node:util')

const HELP = `npm run bench [-- OPTIONS] [WORD ...]

  WORD            only cases whose file or row names contain one of the words
  --door NAME     only the cases of this door: addon, ipc, cache,
                  log, deploy, http or pg
  --runtime LIST  only these: node24,node26,bun; NAME=PATH names an executable
  --rounds N      rounds of each contestant
  --ms N          milliseconds a round
  --write         write the results of each door: RESULTS.md with results.json and
                  results.svg; IPC.md, CACHE.md, LOG.md, DEPLOY.md, HTTP.md
                  and PG.md likewise
  --report        write them again from the JSON, without measuring
  --json          print the raw results on standard output
  --quick         short rounds, for development
  --smoke         every case for a moment on this Node; fails where one throws
  --setup         build what only the benchmark needs: npm sqlite3, spdlog and
                  libpq, the C programs; with --smoke without optimizing;
                  with --door http also axum + diesel, where cargo is
  --prof          leave CPU profiles of the JavaScript in bench/build/prof
  --list          name the cases and rows
  --help          this text`

// roundMs of a case overrides ms where the load needs longer (wrk).
const MODES = {
  full: { rounds: 7, ms: 300, warmMs: 400, scale: 1 },
  quick: { rounds: 3, ms: 150, warmMs: 200, scale: 0.2 },
  smoke: { rounds: 1, ms: 20, scale: 0.01, isSmoke: true }
}

function parse (argv) {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      door: { type: 'string' },
      runtime: { type: 'string' },
      rounds: { type: 'string' },
      ms: { type: 'string' },
      write: { type: 'boolean' },
      report: { type: 'boolean' },
      json: { type: 'boolean' },
      quick: { type: 'boolean' },
      smoke: { type: 'boolean' },
      setup: { type: 'boolean' },
      prof: { type: 'boolean' },
      list: { type: 'boolean' },
      help: { type: 'boolean' }
    }
  })
  const mode = values.smoke ? 'smoke' : values.quick ? 'quick' : 'full'
  return {
    ...values,
    mode,
    words: positionals,
    runtimes: values.runtime ? values.runtime.split(',') : null,
    timing: {
      ...MODES[mode],
      ...(values.rounds && { rounds: number('rounds', values.rounds) }),
      ...(values.ms && { ms: number('ms', values.ms) })
    }
  }
}

function number (name, text) {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) {
    throw new RangeError(`--${name} takes a whole number from 1, not '${text}'`)
  }
  return value
}

module.exports = { parse, HELP }
