'use strict'
// The daemon's HTTP in a deployment: the routes of the release that serves, from one moment to the next,
// without another daemon and without another owner of the file.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const t = require('tap')
const { host } = require('./parts/host')
const { release } = require('./parts/daemon-release')
const { watchOwners } = require('./parts/owners')
const { open } = require('../../index')

t.setTimeout(580_000)

const settings = { daemon: { db: '$SHARED/app.db', routes: 'routes', http: 'run/http.sock' } }
const route = (version, sql = `select '${version}'`) => ({ 'routes/version.sql': `-- @get /version :text\n-- @public\n${sql};\n` })

function get (found, target = '/version') {
  return new Promise((resolve, reject) => {
    http.get({ socketPath: path.join(found.folder, 'run/http.sock'), path: target, agent: false }, (res) => {
      let body = ''
      res.setEncoding('utf8').on('data', (text) => { body += text }).on('end', () => resolve({ status: res.statusCode, body }))
    }).on('error', reject)
  })
}

const daemonPid = (found) => JSON.parse(fs.readFileSync(found.state().daemon.slot.replace(/\.json$/, '.status'))).child.pid

t.test('a release brings its routes', async (t) => {
  const found = await host(t, settings)
  const first = release(found, '', undefined, route('one'))
  t.match(await found.start({ release: first }), { daemon: 'started' })
  t.same(await get(found), { status: 200, body: 'one' })
  t.equal(fs.statSync(path.join(found.folder, 'run/http.sock')).mode & 0o777, 0o666, 'the gateway reaches it')
  t.equal(fs.statSync(path.join(found.folder, 'run/undercroft.sock')).mode & 0o777, 0o600, 'and nobody else what is beside it')
  const pid = daemonPid(found)
  const second = release(found, '', undefined, route('two'))
  t.match(await found.start({ release: second }), { daemon: 'unchanged' })
  t.same(await get(found), { status: 200, body: 'two' })
  t.match(await found.start({ back: true }), { release: first })
  t.same(await get(found), { status: 200, body: 'one' }, 'and a rollback those before')
  t.equal(daemonPid(found), pid, 'one daemon all the time')
})

t.test('a mistake in them is told, and what was there goes on', async (t) => {
  const found = await host(t, settings)
  const first = release(found, '', undefined, route('one'))
  await found.start({ release: first })
  for (const [what, files, wanted] of [
    ['no such table', route('two', 'select count(*) from nothing'), /version\.sql:3.*nothing/s],
    ['no such tag', { 'routes/version.sql': '-- @gte /version\nselect 1;\n' }, /version\.sql:1/],
    ['no folder', {}, /routes/]
  ]) {
    const bad = release(found, '', undefined, files)
    await t.rejects(found.start({ release: bad }), { code: 'UC_DEPLOY_DAEMON', stage: 'switch' }, what)
    const { error } = found.audit().at(-1)
    t.match(error, /the routes of the release cannot be served; .* goes on serving/)
    t.same(await get(found), { status: 200, body: 'one' })
    t.equal(await found.serving(), first)
    t.equal(fs.readlinkSync(found.app.routes), `../releases/${first}/routes`)
    const lines = await found.start({ release: bad }).catch((err) => err.lines.join('\n'))
    t.match(lines, wanted)
  }
  t.match(await found.start({ release: release(found, '', undefined, route('three')) }), { changed: true })
  t.same(await get(found), { status: 200, body: 'three' })
})

t.test('a release that fails behind the switch takes its routes with it', async (t) => {
  const found = await host(t, settings)
  const first = release(found, '', undefined, route('one'))
  await found.start({ release: first })
  const bad = release(found, '', undefined, route('two'))
  await t.rejects(found.start({ release: bad }, { hooks: { afterSwitch: { command: ['false'], where: 'there' } } }), { code: 'UC_DEPLOY_HOOK' })
  t.same(await get(found), { status: 200, body: 'one' })
})

t.test('another daemon: those who ask meanwhile wait, and the file has one owner', async (t) => {
  const found = await host(t, settings)
  await found.start({ release: release(found, 'a', undefined, route('one')) })
  const store = open(`ipc://${found.folder}/run/undercroft.sock`)
  t.teardown(() => store.close())
  const seen = { ok: 0, wrong: [] }
  let goesOn = true
  const watching = watchOwners(path.join(found.folder, 'shared/app.db'))
  const asking = (async () => {
    while (goesOn) {
      await get(found).then(({ status, body }) => status === 200 && /^(one|two)$/.test(body) ? seen.ok++ : seen.wrong.push(`${status} ${body}`), (err) => seen.wrong.push(err.code))
    }
  })()
  t.match(await found.start({ release: release(found, 'b', undefined, route('two')) }), { daemon: 'replaced' })
  t.same(await get(found), { status: 200, body: 'two' })
  goesOn = false
  await asking
  const owners = await watching.stop()
  t.same(seen.wrong, [], `${seen.ok} requests`)
  t.ok(seen.ok > 10)
  t.equal(owners.most, 1, 'never two')
  t.equal(owners.all.size, 2)
})
