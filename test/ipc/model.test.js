'use strict'

// Eight processes, on each runtime there is, and ten thousand mixed calls of each through one
// daemon. Every answer is checked where it arrives; at the end the database is what the models of
// all of them say, and sound.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const undercroft = require('../..')
const { start } = require('../daemon/raw')
const { exact, fileTimeoutMs, runs, tmpdir } = require('../helper')
const { runtimes } = require('../runtimes')
const { budget } = require('../budget')
const { newSeed } = require('../random')

const processes = 8
const lanes = 16
const count = budget.of(10_000)

t.setTimeout(fileTimeoutMs)

const body = ({ undercroft, args, say, require, root }) => require(`${root}/test/ipc/model-client.js`)({ undercroft, args, say })

t.test('the database is what the models of all processes say', async (t) => {
  const seed = newSeed()
  t.comment(`seed ${seed}`)
  const daemon = await start(t, { deadlineMs: 300000 })
  const url = `ipc://${daemon.socket}`
  const store = undercroft.open(url)
  await store.db.exec(`
    create table kv(proc, lane, k, v, n, primary key (proc, lane, k)) without rowid;
    create table log(proc, lane, text);
    create index log_of on log(proc, lane);
    create table counters(k integer primary key, n);
    create table claims(key);`)
  await store.db.many('insert into counters values (?, 0)', Array.from({ length: 10 }, (_, k) => [k]))

  const there = runtimes().filter(({ skip }) => !skip)
  const results = await Promise.all(Array.from({ length: processes }, (_, proc) => runs(t, body, {
    exec: there[proc % there.length].exec,
    args: { url, proc, lanes, count, seed: seed + proc * 1000, result: path.join(tmpdir(t), `${proc}.json`) },
    deadlineMs: 200000,
    name: `process ${proc} on ${there[proc % there.length].name}: every answer as it should be`
  })))
  const calls = results.reduce((sum, { lines }) => sum + Number(lines[0]), 0)
  t.ok(calls >= processes * count, `${calls} calls`)

  const wanted = { kv: [], log: [], added: [] }
  for (let proc = 0; proc < processes; proc++) {
    const one = JSON.parse(fs.readFileSync(path.join(tmpdir(t), `${proc}.json`)))
    for (const key of Object.keys(wanted)) wanted[key].push(...one[key])
  }
  await store.close()
  t.equal((await daemon.stop()).code, 0, 'the daemon ends in order')
  t.notOk(fs.existsSync(`${daemon.file}-wal`), 'with nothing left in the WAL')

  const { db } = await undercroftAt(t, daemon.file)
  const kv = await db.values('select proc, lane, k, v, n from kv order by proc, lane, k')
  exact(t, kv.map(([proc, lane, k, v, n]) => [proc, lane, k, Buffer.isBuffer(v) ? { b: v.toString('hex') } : v, n]), wanted.kv, `${kv.length} rows`)
  exact(t, await db.values('select proc, lane, text from log order by proc, lane, rowid'), wanted.log, `${wanted.log.length} rows that were added, each once`)
  const sums = new Array(10).fill(0)
  for (const [k, n] of wanted.added) sums[k] += n
  exact(t, (await db.values('select n from counters order by k')).flat(), sums, 'the sums of all processes')
  const [[all, different]] = await db.values('select count(*), count(distinct key) from claims')
  t.equal(all, different, `${all} keys that all processes used: one write each`)
  exact(t, await db.get('pragma integrity_check'), { integrity_check: 'ok' })
})

async function undercroftAt (t, file) {
  const store = undercroft.open(file)
  t.teardown(() => store.close())
  await store.ready
  return store
}
