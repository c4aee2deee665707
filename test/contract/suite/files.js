'use strict'

// Files that are no databases, broken ones, and places where none can be.

const fs = require('node:fs')
const path = require('node:path')
const { exact, failure, left } = require('../../helper')

module.exports = (t, open) => {
  const filled = async (t) => {
    const file = open.file(t)
    const store = open.at(t, file)
    await store.db.exec('create table t(id integer primary key, a)')
    await store.db.many('insert into t(a) values (?)', Array.from({ length: 5000 }, (_, i) => [`row ${i} ${'x'.repeat(50)}`]))
    await store.close()
    return file
  }

  const refuses = 'a daemon opens its files itself, and does not start when it cannot: test/life/door.test.js'

  t.test('a file that is no database', async (t) => {
    if (left(t, !open.owner, refuses)) return
    for (const [name, bytes] of [['text', Buffer.from('this is no database, only a long text '.repeat(100))], ['zeros and ones', Buffer.alloc(5000, 1)]]) {
      const file = open.file(t)
      fs.writeFileSync(file, bytes)
      const store = open.at(t, file)
      const err = await failure(store.ready)
      t.equal(err.code, 'SQLITE_NOTADB', name)
      t.equal(err.kind, 'corrupt')
      t.match((await failure(store.db.run('create table t(a)'))).code, /^SQLITE_NOTADB$/)
      await store.close()
      t.ok(fs.readFileSync(file).equals(bytes), 'its bytes are untouched')
      exact(t, fs.readdirSync(path.dirname(file)).filter((one) => one.startsWith(path.basename(file))), [path.basename(file)], 'nothing is left beside it')
    }
  })

  t.test('an empty file is a new database', async (t) => {
    const file = open.file(t)
    fs.writeFileSync(file, '')
    const { db } = open.at(t, file)
    await db.exec('create table t(a)')
    exact(t, await db.all('select * from t'), [], 'it works')
  })

  t.test('a corrupt database: an error, no crash, and the sound part still reads', async (t) => {
    const file = await filled(t)
    const bytes = fs.readFileSync(file)
    const page = bytes.readUInt16BE(16)
    bytes.fill(0xa5, page * 20, page * 30)
    fs.writeFileSync(file, bytes)
    const { db } = open.at(t, file)
    const err = await failure(db.all('select * from t'))
    t.match(err.code, /^SQLITE_CORRUPT/)
    t.equal(err.kind, 'corrupt')
    t.equal(err.retryable, false)
    exact(t, (await db.get('select id from t where id = 1')), { id: 1 }, 'a row on a sound page')
    t.match((await failure(async () => { for await (const row of db.iterate('select * from t')) row.id = 0 })).code, /^SQLITE_CORRUPT/, 'iterate')
    t.match((await failure(db.json('select * from t'))).code, /^SQLITE_CORRUPT/, 'json')
    t.match((await failure(db.run("update t set a = a || 'z'"))).code, /^SQLITE_CORRUPT/, 'a write')
    t.match((await failure(db.transaction((tx) => tx.run("update t set a = a || 'z'")))).code, /^SQLITE_CORRUPT/, 'in a transaction')
  })

  t.test('a truncated database', async (t) => {
    if (left(t, !open.owner, refuses)) return
    const file = await filled(t)
    fs.truncateSync(file, fs.statSync(file).size >> 1)
    const store = open.at(t, file)
    const err = await failure(store.db.get('select sum(length(a)) as n from t'))
    t.match(err.code, /^SQLITE_(CORRUPT|NOTADB|IOERR)/)
  })

  t.test('a WAL full of noise is not believed', async (t) => {
    const file = await filled(t)
    fs.writeFileSync(`${file}-wal`, Buffer.alloc(100000, 0x5a))
    const { db } = open.at(t, file)
    exact(t, await db.get('select count(*) as n from t'), { n: 5000 }, 'the database is what it was')
    t.equal((await db.run('insert into t(a) values (1)')).changes, 1)
  })

  t.test('a directory that is not there, or is a file', async (t) => {
    if (left(t, !open.owner, refuses)) return
    for (const place of [path.join(path.dirname(open.file(t)), 'no', 'such', 'dir.db'), '/dev/null/x.db']) {
      const store = open.at(t, place)
      const err = await failure(store.ready)
      t.equal(err.code, 'SQLITE_CANTOPEN', place)
      t.equal(err.kind, 'cant-open')
      t.match(err.message, new RegExp(path.basename(place)), 'the path is named')
    }
    const dir = path.join(path.dirname(open.file(t)), 'dir')
    fs.mkdirSync(dir)
    const err = await failure(async () => open.at(t, dir).ready)
    t.match(err.code, /^(UC_OPTION|SQLITE_CANTOPEN)/, 'the path is a directory')
  })

  t.test('a database in another encoding', async (t) => {
    for (const encoding of ['UTF-16le', 'UTF-16be']) {
      const { db } = open(t, { pragmas: { encoding } })
      await db.exec('create table t(id integer primary key, a)')
      exact(t, await db.get('pragma encoding'), { encoding }, encoding)
      const texts = ['', 'abc', 'é', '日本', '😀', 'aé日😀'.repeat(20000), 'nul\0inside']
      await db.many('insert into t(a) values (?)', texts.map((text) => [text]))
      const rows = (await db.values('select a from t order by id')).map(([a]) => a)
      t.ok(rows.every((a, i) => a === texts[i]), 'text comes back whole')
      exact(t, JSON.parse(await db.json('select a from t order by id')).map((row) => row.a), texts, 'json too')
      exact(t, await db.get('select id from t where a = ?', ['日本']), { id: 4 }, 'parameters compare')
    }
  })

  t.test('a database in rollback-journal mode becomes a WAL', async (t) => {
    const file = await filled(t)
    const bytes = fs.readFileSync(file)
    bytes[18] = bytes[19] = 1
    fs.writeFileSync(file, bytes)
    const { db } = open.at(t, file)
    exact(t, await db.get('pragma journal_mode'), { journal_mode: 'wal' }, 'the mode')
    exact(t, await db.get('select count(*) as n from t'), { n: 5000 }, 'the rows')
  })

  t.test('a file by two names', { skip: !open.sync && 'a daemon is a process of its own for each file' }, async (t) => {
    const file = await filled(t)
    const [link, symbolic] = [`${file}.link`, `${file}.symbolic`]
    fs.linkSync(file, link)
    fs.symlinkSync(file, symbolic)
    const store = open.at(t, file)
    await store.db.run("update t set a = 'in the WAL'")
    const other = open.at(t, link)
    const err = await failure(other.db.get('select 1'))
    t.match(err, { code: 'SQLITE_CANTOPEN', outcome: 'not-run', retryable: false })
    t.match(err.message, /hard link.*open it by that name/)
    t.ok(err.message.includes(link) && err.message.includes(file), 'both names')
    t.equal((await failure(() => other.db.sync.get('select 1'))).code, 'SQLITE_CANTOPEN')
    exact(t, fs.existsSync(`${link}-wal`), false, 'nothing was made')
    await other.close()
    exact(t, await open.at(t, symbolic).db.get('select distinct a from t'), { a: 'in the WAL' }, 'a symbolic link is the same name')
    await store.close()
  })

  t.test('the file deleted or replaced under an open handle', async (t) => {
    const verbs = {
      iterate: async (db) => { for await (const row of db.iterate('select * from t')) row.id = 0 },
      snapshot: (db) => db.snapshot((s) => s.get('select count(*) from t')),
      backup: (db) => db.backup(open.file(t)),
      write: (db) => db.run("insert into t(a) values ('after')"),
      transaction: (db) => db.transaction((tx) => tx.run("insert into t(a) values ('after')")),
      ...(open.sync && {
        sync: async (db) => db.sync.get('select count(*) from t'),
        syncWrite: async (db) => db.sync.run("insert into t(a) values ('after')")
      })
    }
    for (const [verb, call] of Object.entries(verbs)) {
      for (const how of ['replaced', 'deleted']) {
        const file = await filled(t)
        const kept = `${file}.kept`
        const store = open.at(t, file)
        const { db } = store
        await db.run("update t set a = 'in the WAL' where id % 3 = 0")
        await db.get('select 1')
        fs.renameSync(file, kept)
        if (how === 'replaced') {
          const other = open.file(t)
          const made = open.at(t, other)
          await made.db.exec('create table t(a); insert into t values (1)')
          await made.close()
          fs.renameSync(other, file)
        }
        const err = await failure(() => call(db))
        t.equal(err.code, 'SQLITE_READONLY_DBMOVED', `${verb}, ${how}`)
        t.match(err.message, /deleted or replaced/)
        t.equal((await db.health()).ok, false, 'health says so')
        t.equal((await failure(db.get('select 1'))).code, 'SQLITE_READONLY_DBMOVED', 'each call says so')
        exact(t, [fs.existsSync(`${file}-wal`), fs.existsSync(`${file}-shm`)], [false, false], 'nothing is left for who opens the new file')
        const late = open.at(t, file)
        if (how === 'replaced') {
          exact(t, await late.db.values('select a from t'), [[1]], 'who comes now has the new one')
        } else {
          for (const [there, name] of [[false, 'deleted'], [true, 'put back while its WAL is still ours']]) {
            if (there) fs.renameSync(kept, file)
            const one = there ? open.at(t, file) : late
            t.match(await failure(one.db.exec('create table if not exists t(a)')), { code: 'SQLITE_READONLY_DBMOVED', outcome: 'not-run' }, `${name}: who comes now is told so`)
            t.equal((await failure(one.db.get('select 1'))).code, 'SQLITE_READONLY_DBMOVED', name)
            exact(t, [fs.existsSync(file), fs.existsSync(`${file}-wal`)], [there, false], `${name}: no new one is made in its place`)
            await one.close()
            if (there) fs.renameSync(file, kept)
          }
        }
        await late.close()
        await store.close()
        const old = open.at(t, kept)
        exact(t, await old.db.get("select count(*) as n, sum(a = 'in the WAL') as w from t"), { n: 5000, w: 1666 }, 'what was committed is in the old one')
        await old.close()
        if (how === 'deleted') continue
        const now = open.at(t, file)
        exact(t, await now.db.values('select a from t'), [[1]], 'the new one is whole')
        exact(t, await now.db.get('pragma integrity_check'), { integrity_check: 'ok' }, 'and sound')
        await now.close()
      }
    }
  })
}

module.exports.sqlite = 'it is about files of SQLite'
