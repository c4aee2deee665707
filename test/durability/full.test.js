'use strict'

// A full disk: SQLITE_FULL for the writes that do not fit, nothing acknowledged is lost, and the
// same handle goes on when there is room again.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { execFileSync } = require('node:child_process')
const undercroft = require('../..')
const { exact, failure, fileTimeoutMs, outcomes, tmpdir } = require('../helper')

t.setTimeout(fileTimeoutMs)

// A small file system of our own, or the reason why there is none.
const disk = (t, megabytes) => {
  const dir = path.join(tmpdir(t), 'disk')
  fs.mkdirSync(dir)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir], { stdio: 'pipe' })
  } catch (err) {
    return { reason: `no tmpfs can be mounted: ${String(err.stderr ?? err.message).trim()}` }
  }
  t.teardown(() => execFileSync('umount', ['-l', dir]))
  return { dir, file: path.join(dir, 'full.db') }
}

const sound = async (t, file) => {
  const store = undercroft.open(file)
  exact(t, await store.db.get('pragma integrity_check'), { integrity_check: 'ok' }, 'the file is sound')
  await store.close()
}

t.test('single writes in groups', async (t) => {
  const { file, dir, reason } = disk(t, 3)
  if (reason) return t.comment(`skipped: ${reason}`)
  const store = undercroft.open(file)
  const { db } = store
  await db.exec('create table t(id integer primary key, n, a)')
  const ballast = path.join(dir, 'ballast')
  fs.writeFileSync(ballast, Buffer.alloc(1000000))
  const acked = new Set()
  const errors = []
  for (let n = 0; errors.length < 40 && n < 4000; n += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, k) => db.run('insert into t(n, a) values (?, ?)', [n + k, 'x'.repeat(2000)])
      .then(() => acked.add(n + k), (err) => errors.push(err))))
  }
  t.ok(errors.length > 0, `${acked.size} rows written, then ${errors.length} errors`)
  t.ok(errors.every((err) => /^SQLITE_(FULL|IOERR)/.test(err.code)), [...new Set(errors.map((err) => err.code))].join())
  t.ok(errors.some((err) => err.code === 'SQLITE_FULL' && err.kind === 'full'), 'SQLITE_FULL, kind full')
  const check = async (name) => {
    const stored = new Set((await db.values('select n from t')).map(([n]) => n))
    t.ok([...acked].every((n) => stored.has(n)), `${name}: every acknowledged row is there`)
    t.equal(stored.size, acked.size, `${name}: and no other`)
  }
  await check('reads go on')
  const small = await outcomes([db.run('update t set n = n where id = 1'), db.get('select 1')])
  t.equal(small[1], 'fulfilled', `a read is not concerned (a small write: ${small[0]})`)
  fs.rmSync(ballast)
  for (let n = 10000; n < 10020; n++) {
    await db.run('insert into t(n, a) values (?, ?)', [n, 'x'.repeat(2000)])
    acked.add(n)
  }
  await check('there is room again')
  await store.close()
  await sound(t, file)
})

t.test('one large transaction, a many, a batch', async (t) => {
  const { file, reason } = disk(t, 3)
  if (reason) return t.comment(`skipped: ${reason}`)
  const store = undercroft.open(file)
  const { db } = store
  await db.exec('create table t(id integer primary key, n, a)')
  await db.run("insert into t(n, a) values (1, 'first')")
  const big = 'x'.repeat(4000)
  const rows = Array.from({ length: 2000 }, (_, n) => [n, big])
  t.equal((await failure(db.many('insert into t(n, a) values (?, ?)', rows))).code, 'SQLITE_FULL', 'many')
  exact(t, await db.get('select count(*) as n from t'), { n: 1 }, 'nothing of it')
  t.equal((await failure(db.batch(rows.map((row) => ['insert into t(n, a) values (?, ?)', row])))).code, 'SQLITE_FULL', 'batch')
  exact(t, await db.get('select count(*) as n from t'), { n: 1 }, 'nothing of it')
  const err = await failure(db.transaction(async (tx) => {
    for (const row of rows) await tx.run('insert into t(n, a) values (?, ?)', row)
  }))
  t.equal(err.code, 'SQLITE_FULL', 'transaction')
  exact(t, await db.get('select count(*) as n from t'), { n: 1 }, 'nothing of it')
  t.equal((await db.run("insert into t(n, a) values (2, 'second')")).changes, 1, 'a small write fits')
  const caught = await db.transaction(async (tx) => {
    await tx.run("insert into t(n, a) values (3, 'third')")
    await tx.many('insert into t(n, a) values (?, ?)', rows).catch(() => {})
    return 'went on'
  }).then((value) => value, (err) => err.code)
  const { n } = await db.get('select count(*) as n from t')
  t.ok(caught === 'went on' ? n === 3 : n === 2, `a transaction that met a full disk is whole or gone (${caught}, ${n} rows)`)
  await store.close()
  await sound(t, file)
})

t.test('neighbours of a group that does not fit', async (t) => {
  const { file, reason } = disk(t, 3)
  if (reason) return t.comment(`skipped: ${reason}`)
  const store = undercroft.open(file)
  const { db } = store
  await db.exec('create table t(id integer primary key, n, a)')
  const calls = []
  for (let n = 0; n < 20; n++) calls.push(db.run('insert into t(n, a) values (?, ?)', [n, n === 10 ? Buffer.alloc(6000000) : 'small']))
  const done = await outcomes(calls)
  t.equal(done[10], 'SQLITE_FULL')
  const small = done.filter((_, n) => n !== 10)
  t.ok(small.every((one) => one === 'fulfilled' || /^SQLITE_FULL$/.test(one)), [...new Set(small)].join())
  t.equal((await db.get('select count(*) as n from t')).n, done.filter((one) => one === 'fulfilled').length, 'what is there was acknowledged, and the other way round')
  t.equal((await db.run("insert into t(n, a) values (99, 'later')")).changes, 1)
  await store.close()
  await sound(t, file)
})

t.test('backup onto a full disk', async (t) => {
  const { dir, file, reason } = disk(t, 3)
  if (reason) return t.comment(`skipped: ${reason}`)
  const store = undercroft.open(path.join(tmpdir(t), 'big.db'))
  await store.db.exec('create table t(a); insert into t values (zeroblob(8000000))')
  const err = await failure(store.db.backup(file))
  t.match(err.code, /^(SQLITE_FULL|UC_BACKUP|SQLITE_IOERR)/)
  exact(t, fs.readdirSync(dir), [], 'nothing is left there')
  t.equal((await store.db.get('select count(*) as n from t')).n, 1, 'the source goes on')
  await store.close()
})
