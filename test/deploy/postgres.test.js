'use strict'

// Three hosts (real sshd) that share one PostgreSQL server: migrations run on the first, each host drains by itself,
// and no request that was answered is missing from the table.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const t = require('tap')
const postgres = require('../pg')
const { ask } = require('../../deploy/agent/start/health')
const { readState } = require('../../deploy/agent/host/state')
const { project } = require('./parts/project')

t.setTimeout(580_000)

const root = path.join(__dirname, '../..')

const service = (sql) => `
const http = require('node:http')
const { open, graceful } = require(${JSON.stringify(root)})
const store = open(process.env.DATABASE)
const server = http.createServer(async (req, res) => {
  try {
    res.end(JSON.stringify(await store.db.get(${JSON.stringify(sql)}, [process.env.UNDERCROFT_RELEASE])))
  } catch (error) {
    res.statusCode = 500
    res.end(error.message)
  }
})
graceful(server, { store, health: '/health' })
`

const migrate = `
const { open } = require(${JSON.stringify(root)})
const { db } = open(process.env.DATABASE)
db.migrate('migrations').then(async ({ applied }) => {
  await db.run('insert into migrated(host, files) values (?, ?)', [process.cwd().split('/releases/')[0], JSON.stringify(applied ?? null)])
  process.exit(0)
}, (error) => { console.error(error); process.exit(1) })
`

// Asks a host one request after the other, until it is told to stop.
function load (app) {
  const seen = { answered: 0, failed: [] }
  let isOver = false
  const done = (async () => {
    while (!isOver) {
      const { status, body } = await ask({ socket: app.upstream(0) }, '/add', 20_000).catch((error) => ({ status: 0, body: error.message }))
      if (status === 200) seen.answered++
      else seen.failed.push(`${status} ${body}`)
    }
    return seen
  })()
  return () => {
    isOver = true
    return done
  }
}

t.test('three hosts on one database', { skip: postgres.whyNot() ?? false }, async (t) => {
  const server = await postgres.start(t)
  const url = server.fresh(t)
  const rows = (sql) => server.sql(sql, server.nameOf(url)).split('\n')
  const { apps, deploy, dir, ports, write } = await project(t, 3, {
    order: 'one',
    env: { set: { DATABASE: url } },
    migrations: { command: ['node', 'migrate.js'], once: 'first-host' }
  })
  fs.mkdirSync(path.join(dir, 'migrations'))
  write('migrate.js', migrate)
  write('migrations/0001_visit.sql', 'create table visit(id bigint generated always as identity primary key, release text not null);\ncreate table migrated(host text, files text);\n')
  write('server.js', service('insert into visit(release) values (?) returning id'))
  const first = await deploy('--json')
  t.equal(first.code, 0, `the first release ${first.err}${JSON.stringify(first.error ?? '')}`)
  t.same(rows('select host from migrated'), [apps[0].folder], 'the first host alone has migrated')

  const stops = apps.map(load)
  write('migrations/0002_note.sql', "alter table visit add column note text not null default '';\n")
  write('server.js', service("insert into visit(release, note) values (?, 'second') returning id"))
  const taken = ports[1].find((port) => port !== readState(apps[1].state).active.instances[0].port)
  const stranger = net.createServer()
  await new Promise((resolve) => stranger.listen(taken, '127.0.0.1', resolve))
  const failed = await deploy('--json')
  t.match(failed.error, { code: 'UC_DEPLOY_PORT_TAKEN', host: 'host2' })
  await new Promise((resolve) => stranger.close(resolve))
  const second = await deploy('--json')
  t.equal(second.code, 0, `the second release ${second.err}${JSON.stringify(second.error ?? '')}`)

  const seen = await Promise.all(stops.map((stop) => stop()))
  t.same(seen.flatMap(({ failed }) => failed), [], 'no request failed, by the old release on the new tables either')
  const answered = seen.reduce((sum, { answered }) => sum + answered, 0)
  t.ok(seen.every(({ answered }) => answered > 0), `${answered} requests`)
  t.same(rows('select count(*) from visit'), [String(answered)], 'each is there once')
  t.same(rows('select distinct note from visit order by note'), ['', 'second'], 'both releases have served')
  t.same(rows('select distinct host from migrated'), [apps[0].folder], 'and the first host has migrated each time')
})
