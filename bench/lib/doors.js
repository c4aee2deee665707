'use strict'

// The doors that are measured. Each has its own cases, contestants and results,
// so that one can be measured again without the other.

const path = require('node:path')
const build = require('../c/build')

const BENCH = path.join(__dirname, '..')

// `order` is the order of the report; a case that is not named comes last.
// `limit()` is the path of the C program, or null while it is not built; a door
// without one is not compared with C. A door's contestants get a copy of the
// database unless it is `withoutDatabase`; `data` is what is in it. Contestants of
// a door with `ownRuntimes` are servers that say what they run on, each measured
// once. `pinned`: the server has one processor, who asks it another. `settings`
// are those that differ from everybody's. `server` is one that all contestants share,
// each with a database of its own in it: missing(), start(dir, timing).
const doors = [
  {
    name: 'addon',
    cases: path.join(BENCH, 'cases'),
    order: [
      'point-get', 'point-get-turn', 'all-100', 'async-get', 'json-100', 'durable-insert',
      'insert-many', 'updates', 'http', 'loop-delay', 'lone-get', 'readers', 'memory-iterate',
      'memory-get', 'open'
    ],
    contestants: require('../contestants'),
    limit: build.built,
    files: { json: 'results.json', text: 'RESULTS.md', chart: 'results.svg' }
  },
  {
    name: 'ipc',
    cases: path.join(BENCH, 'cases/ipc'),
    order: ['ping', 'get', 'insert-processes', 'all-100', 'value-64k', 'idle'],
    contestants: require('../contestants/ipc'),
    limit: build.buildEcho,
    files: { json: 'ipc.json', text: 'IPC.md', chart: 'ipc.svg' }
  },
  {
    name: 'cache',
    cases: path.join(BENCH, 'cases/cache'),
    order: ['get', 'get-ipc', 'memory', 'once', 'stale'],
    contestants: require('../contestants/cache'),
    files: { json: 'cache.json', text: 'CACHE.md', chart: 'cache.svg' }
  },
  {
    name: 'log',
    cases: path.join(BENCH, 'cases/log'),
    order: ['lines', 'processes', 'roll', 'stall', 'kills'],
    contestants: require('../contestants/log'),
    limit: build.buildSpdlog,
    withoutDatabase: true,
    files: { json: 'log.json', text: 'LOG.md', chart: 'log.svg' }
  },
  {
    name: 'deploy',
    cases: path.join(BENCH, 'cases/deploy'),
    order: ['upload', 'loss'],
    contestants: require('../contestants/deploy'),
    withoutDatabase: true,
    files: { json: 'deploy.json', text: 'DEPLOY.md', chart: 'deploy.svg' }
  },
  {
    name: 'http',
    cases: path.join(BENCH, 'cases/http'),
    order: [
      'notes', 'single', 'queries', 'insert', 'returning', 'batch', 'updates', 'json', 'plaintext', 'pipelined',
      'fortunes', 'cached', 'crowd'
    ],
    contestants: require('../contestants/http'),
    data: path.join(BENCH, 'lib/people.js'),
    ownRuntimes: true,
    pinned: true,
    settings: { synchronous: 'normal' },
    files: { json: 'http.json', text: 'HTTP.md', chart: 'http.svg' }
  },
  {
    name: 'pg',
    cases: path.join(BENCH, 'cases/pg'),
    order: ['get', 'all-100', 'queries', 'inserts', 'insert-many', 'memory-iterate', 'loop-delay', 'processes'],
    contestants: require('../contestants/pg'),
    limit: build.buildPg,
    withoutDatabase: true,
    server: require('./pg'),
    files: { json: 'pg.json', text: 'PG.md', chart: 'pg.svg' }
  }
]

/** The door of that name; throws for a name that is none. */
function doorOf (name) {
  const door = doors.find(it => it.name === name)
  if (!door) throw new Error(`--door takes ${doors.map(it => it.name).join(' or ')}, not '${name}'`)
  return door
}

module.exports = { doors, doorOf }
