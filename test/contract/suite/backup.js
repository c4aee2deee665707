'use strict'

// db.backup and db.restore: online, whole or not at all.

const fs = require('node:fs')
const path = require('node:path')
const { exact, failure, slow } = require('../../helper')

module.exports = (t, open) => {
  const ready = async (t, rows = 5000, options) => {
    const store = open(t, options)
    await store.db.exec(`create table t(id integer primary key, a); ${slow(rows)} insert into t(a) select hex(randomblob(100)) from c`)
    return store.db
  }
  const left = (file) => fs.readdirSync(path.dirname(file)).filter((name) => name.startsWith(path.basename(file)))

  t.test('a copy that stands on its own', async (t) => {
    const db = await ready(t)
    const copy = open.file(t)
    await db.backup(copy)
    const { db: other } = open.at(t, copy)
    exact(t, await other.get('pragma integrity_check'), { integrity_check: 'ok' }, 'sound')
    exact(t, await other.get('select count(*) as n, min(a) as lo, max(a) as hi from t'), await db.get('select count(*) as n, min(a) as lo, max(a) as hi from t'), 'equal')
    exact(t, await other.get('pragma journal_mode'), { journal_mode: 'wal' }, 'usable at once')
  })

  t.test('progress', async (t) => {
    const db = await ready(t, 20000)
    const seen = []
    await db.backup(open.file(t), { onProgress: (p) => seen.push(p) })
    t.ok(seen.length > 0, `${seen.length} reports`)
    const last = seen.at(-1)
    t.equal(last.remaining, 0, 'the last one is the end')
    t.ok(last.total > 0)
    t.ok(seen.every((p, i) => i === 0 || p.remaining <= seen[i - 1].remaining), 'it goes down')
  })

  t.test('writes go on meanwhile, and the copy is one state', async (t) => {
    const db = await ready(t, 30000)
    await db.exec('create table pair(k, v); insert into pair values (1, 0), (2, 0)')
    const copy = open.file(t)
    let going = true
    let n = 0
    const writer = (async () => { while (going) await db.run('update pair set v = v + 1').then(() => n++) })()
    await db.backup(copy)
    going = false
    await writer
    t.ok(n > 0, `${n} writes meanwhile`)
    const rows = await open.at(t, copy).db.values('select v from pair')
    t.equal(rows[0][0], rows[1][0], 'both rows of one update')
    exact(t, await open.at(t, copy).db.get('pragma integrity_check'), { integrity_check: 'ok' }, 'sound')
  })

  t.test('onto a file that is there: it is replaced whole or not touched', async (t) => {
    const db = await ready(t, 100)
    const copy = open.file(t)
    const old = open.at(t, copy)
    await old.db.exec('create table old(a)')
    await old.close()
    const done = await db.backup(copy).then(() => 'done', (err) => err)
    const tables = (await open.at(t, copy).db.values("select name from sqlite_schema where type = 'table'")).map(([name]) => name)
    if (done === 'done') exact(t, tables, ['t'], 'replaced')
    else {
      t.match(done.code, /^UC_BACKUP$/)
      exact(t, tables, ['old'], 'not touched')
    }
  })

  t.test('a place that cannot be written', async (t) => {
    const db = await ready(t, 100)
    for (const place of ['/dev/null/x/copy.db', path.join(path.dirname(open.file(t)), 'no', 'such', 'dir', 'copy.db')]) {
      const err = await failure(db.backup(place))
      t.match(err.code, /^(SQLITE_CANTOPEN|UC_BACKUP)/, place)
    }
    for (const place of [undefined, null, 5, '', {}]) t.match((await failure(() => db.backup(place))).code, /^UC_/, String(place))
    t.match((await failure(() => db.backup(open.file(t), { onprogress: () => {} }))).code, /^UC_OPTION$/, 'an unknown option')
  })

  t.test('aborted, or stopped by a throwing onProgress: nothing is left', async (t) => {
    const db = await ready(t, 60000)
    const copy = open.file(t)
    const stop = new AbortController()
    const reason = new Error('enough')
    const err = await failure(db.backup(copy, { signal: stop.signal, onProgress: () => stop.abort(reason) }))
    t.equal(err, reason)
    exact(t, left(copy), [], 'no partial file')
    const mine = new Error('mine')
    const other = open.file(t)
    t.equal(await failure(db.backup(other, { onProgress: () => { throw mine } })), mine)
    exact(t, left(other), [], 'no partial file')
    await db.backup(other)
    t.ok(fs.existsSync(other), 'a later one succeeds')
  })

  t.test('restore puts the copy in place of what is there', async (t) => {
    const db = await ready(t, 500)
    const copy = open.file(t)
    await db.backup(copy)
    const sum = await db.get('select count(*) as n, max(a) as hi from t')
    await db.exec('delete from t; create table later(a)')
    const q = db.prepare('select count(*) as n from t')
    exact(t, await q.get(), { n: 0 }, 'before')
    await db.restore(copy)
    exact(t, await db.get('select count(*) as n, max(a) as hi from t'), sum, 'as it was')
    exact(t, await q.get(), { n: 500 }, 'a statement prepared before')
    t.equal((await failure(db.get('select * from later'))).code, 'SQLITE_ERROR', 'what came later is gone')
    t.equal((await db.run('insert into t(a) values (1)')).changes, 1, 'it writes')
    exact(t, await db.get('pragma journal_mode'), { journal_mode: 'wal' }, 'still a WAL')
    exact(t, await db.get('pragma integrity_check'), { integrity_check: 'ok' }, 'sound')
  })

  t.test('restore of what is no database changes nothing', async (t) => {
    const db = await ready(t, 50)
    const junk = open.file(t)
    fs.writeFileSync(junk, 'this is no database '.repeat(500))
    t.match((await failure(db.restore(junk))).code, /^(SQLITE_NOTADB|UC_BACKUP)$/)
    t.match((await failure(db.restore(`${junk}.missing`))).code, /^(SQLITE_CANTOPEN|UC_BACKUP)/)
    const broken = open.file(t)
    await db.backup(broken)
    const bytes = fs.readFileSync(broken)
    fs.writeFileSync(broken, bytes.subarray(0, bytes.length >> 1))
    const half = await db.restore(broken).then(() => 'done', (err) => err.code)
    t.ok(half !== 'done', `half a file: ${half}`)
    exact(t, await db.get('select count(*) as n from t'), { n: 50 }, 'all is there')
    exact(t, await db.get('pragma integrity_check'), { integrity_check: 'ok' }, 'and sound')
  })

  t.test('restore of another text encoding changes nothing', async (t) => {
    const encodings = ['UTF-8', 'UTF-16le', 'UTF-16be']
    const copies = []
    for (const encoding of encodings) {
      const { db } = open.at(t, open.file(t), { pragmas: { encoding } })
      await db.exec("create table other(a text); insert into other values ('é😀')")
      copies.push(open.file(t))
      await db.backup(copies.at(-1))
    }
    for (const [i, own] of encodings.entries()) {
      for (const memory of [false, true]) {
        const store = open.at(t, memory ? ':memory:' : open.file(t), { pragmas: { encoding: own } })
        const { db } = store
        await db.exec("create table t(a text); insert into t values ('ä')")
        for (const [j, other] of encodings.entries()) {
          if (j === i) continue
          const err = await failure(db.restore(copies[j]))
          t.equal(err.code, 'UC_BACKUP', `${other} into ${own}`)
          t.ok(err.message.includes(other) && err.message.includes(own), err.message)
        }
        exact(t, await db.all('select a from t'), [{ a: 'ä' }], 'what was there is read')
        exact(t, await db.run("insert into t values ('x')").then((done) => done.changes), 1, 'and written')
        t.equal((await store.health()).ok, true)
        await db.restore(copies[i])
        exact(t, await db.all('select a from other'), [{ a: 'é😀' }], `${own} into ${own}`)
      }
    }
  })

  t.test('of a database in memory, and into one', async (t) => {
    const { db } = open.at(t, ':memory:')
    await db.exec('create table t(a); insert into t values (1)')
    const copy = open.file(t)
    await db.backup(copy)
    exact(t, await open.at(t, copy).db.values('select a from t'), [[1]], 'out')
    const { db: other } = open.at(t, ':memory:')
    await other.restore(copy)
    exact(t, await other.values('select a from t'), [[1]], 'in')
  })
}

module.exports.sqlite = 'backup and restore copy the file of a database'
