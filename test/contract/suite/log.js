'use strict'

// store.log: the same calls, whether lines go into files of this process or to the log of a daemon.

const fs = require('node:fs')
const path = require('node:path')
const { failure, startDaemon, tmpdir, until } = require('../../helper')
const { filesOf, linesOf } = require('../../../lib/log/read')

const slow = 'with recursive c(x) as (select 1 union all select x + 1 from c where x < 200000) select count(*) as n, ? as p from c'

module.exports = (t, open) => {
  // A store whose log is kept in `dir`: by this process, or by the daemon behind the door.
  let count = 0
  const keep = (t, options = {}) => {
    const dir = path.join(tmpdir(t), `logs-${++count}`)
    if (open.door === 'addon') return { dir, store: open(t, { log: { dir, ...options } }) }
    const daemon = startDaemon(t, ['--db', open.file(t), '--log-dir', dir])
    return { dir, daemon, store: open.at(t, daemon.url, { log: options }) }
  }

  const read = async (dir) => {
    const lines = []
    for (const file of filesOf(dir)) for await (const line of linesOf(file)) lines.push(JSON.parse(line))
    // The daemon's own messages are in its log as well.
    return lines.filter((line) => line.name !== 'undercroftd')
  }

  // A store whose lines come back into an array.
  const collect = (t, options) => {
    const lines = []
    const store = open(t, { log: { base: null, destination: { write: (line) => { lines.push(JSON.parse(line)) } }, ...options } })
    return { store, lines, db: store.db }
  }

  t.test('lines are in the file after flush, in their order, once', async (t) => {
    const { store, dir } = keep(t)
    const { log } = store
    log.info({ reqId: 1 }, 'first')
    const child = log.child({ of: 'child' })
    for (let i = 0; i < 5000; i++) child.info({ i, text: i % 7 === 0 ? 'ä日\u{1f600}' : 'plain' }, 'many')
    log.debug('not this one')
    log.error(new Error('last'))
    await log.flush()
    const lines = await read(dir)
    t.equal(lines.length, 5002)
    t.match(lines[0], { level: 30, pid: process.pid, reqId: 1, msg: 'first' })
    t.ok(lines.slice(1, 5001).every((line, i) => line.i === i && line.of === 'child' && line.text === (i % 7 === 0 ? 'ä日\u{1f600}' : 'plain')))
    t.match(lines[5001], { level: 50, err: { type: 'Error', message: 'last' } })
    await log.flush({ sync: true })
    await new Promise((resolve, reject) => log.flush((err) => err ? reject(err) : resolve()))
    const stats = await log.stats()
    t.ok(stats.lines >= 5002, `${stats.lines} lines are counted`)
    t.equal(stats.dropped, 0)
    await store.close()
    t.equal((await read(dir)).length, 5002)
  })

  t.test('lines of several turns, with calls of the database between them', async (t) => {
    const { store, dir } = keep(t)
    const { log, db } = store
    await db.exec('create table t(a)')
    for (let i = 0; i < 200; i++) {
      log.info({ i })
      if (i % 3 === 0) await db.run('insert into t values (?)', [i])
      if (i % 10 === 0) await new Promise(setImmediate)
    }
    await log.flush()
    t.same((await read(dir)).map((line) => line.i), Array.from({ length: 200 }, (_, i) => i))
    await store.close()
  })

  t.test('what is logged in the last turn is there after close', async (t) => {
    const { store, dir } = keep(t)
    await store.ready
    store.log.info('one')
    const closing = store.close()
    await closing
    t.same((await read(dir)).map((line) => line.msg), ['one'])
  })

  t.test('handles of one directory, or of one daemon', async (t) => {
    const { store, dir, daemon } = keep(t)
    const options = open.door === 'addon' ? { log: { dir } } : undefined
    const stores = [store, ...[1, 2].map(() => open.door === 'addon' ? open(t, options) : open.at(t, daemon.url))]
    for (let i = 0; i < 100; i++) stores.forEach((each, of) => each.log.info({ of, i }))
    await Promise.all(stores.map((each) => each.log.flush()))
    const lines = await read(dir)
    t.equal(lines.length, 300)
    for (const of of [0, 1, 2]) t.same(lines.filter((line) => line.of === of).map((line) => line.i), Array.from({ length: 100 }, (_, i) => i))
    for (const each of stores) await each.close()
  })

  t.test('a level for all', async (t) => {
    const { store, dir, daemon } = keep(t)
    const other = open.door === 'addon' ? open(t, { log: { dir } }) : open.at(t, daemon.url)
    await Promise.all([store.log.flush(), other.log.flush()])
    await store.log.setLevel('debug', { everywhere: true })
    t.equal(store.log.level, 'debug')
    if (open.door === 'ipc') await until(() => other.log.level === 'debug', 'the other process hears of it')
    else t.equal(other.log.level, 'info', 'a log of its own')
    t.equal((await failure(store.log.setLevel('loud', { everywhere: true }))).code, 'UC_OPTION')
    await store.log.setLevel(null, { everywhere: true })
    t.equal(store.log.level, 'info', 'and each its own again')
    await until(() => other.log.level === 'info', 'in the other process, too')
    await other.close()
    await store.close()
  })

  t.test('options that are wrong change nothing', async (t) => {
    for (const [log, field] of [[{ level: 'loud' }, 'level'], [{ dirr: 'x' }, 'dirr'], [{ keep: { days: -1 } }, 'keep.days'], [5, 'log']]) {
      const err = await failure(async () => open(t, { log }))
      t.equal(err.code, 'UC_OPTION')
      t.match(err.message, field)
    }
  })

  if (open.door === 'addon') {
    t.test('a line that no ring can take is counted and told', async (t) => {
      const { store, dir } = keep(t, { ringBytes: 64 * 1024, maxLineBytes: 16 * 1024 })
      const long = JSON.stringify({ level: 30, text: 'x'.repeat(20_000) })
      const destination = store.log.destination()
      destination.write(long)
      destination.write(JSON.stringify({ level: 30, text: 'short' }))
      destination.write(long)
      t.equal((await store.log.stats()).dropped, 2)
      await store.close()
      const lines = await read(dir)
      t.equal(lines.filter((line) => line.text !== undefined).length, 1)
      t.match(lines.find((line) => line.dropped !== undefined), { level: 40, dropped: 2, msg: /2 lines were dropped: they are too long for the ring/ })
    })

    t.test('the directory', async (t) => {
      const { store, dir } = keep(t, { name: 'web', rotate: { bytes: 4096 }, compress: false })
      const { log } = store
      for (let i = 0; i < 100; i++) {
        log.info({ i, text: 'x'.repeat(100) })
        if (i % 10 === 0) await log.flush()
      }
      await log.flush()
      const files = filesOf(dir)
      t.ok(files.length > 2, `${files.length} files`)
      t.ok(files.every((file) => path.basename(file.path).startsWith('web-')))
      t.equal(fs.statSync(files[0].path).mode & 0o777, 0o640)
      t.equal(fs.readlinkSync(path.join(dir, 'current')), path.basename(files.at(-1).path))
      t.same((await read(dir)).map((line) => line.i), Array.from({ length: 100 }, (_, i) => i))
      log.rotate()
      log.info('next')
      await log.flush()
      await until(async () => {
        log.info('more')
        await log.flush()
        return filesOf(dir).length > files.length
      }, 'a new file')
      const conflict = await failure(async () => open(t, { log: { dir, file: 'other' } }).log)
      t.equal(conflict.code, 'UC_OPTIONS_CONFLICT')
      t.equal(log.flushSync(), true)
    })

    t.test('a place where no log can be', async (t) => {
      const file = path.join(tmpdir(t), 'file')
      fs.writeFileSync(file, '')
      const err = await failure(async () => open(t, { log: { dir: path.join(file, 'logs') } }).log)
      t.ok(['UC_LOG_IO', 'UC_ACCESS'].includes(err.code), err.code)
      t.match(err.message, file)
    })
  }

  t.test('statements that take long', async (t) => {
    const { store, lines, db } = collect(t, { slowMs: 5 })
    await store.log.span('work', () => db.get(slow, [1]))
    const [first, work] = lines
    t.match(first, { level: 40, msg: 'slow statement', sql: slow, op: 'get', rows: 1, params: 1, traceId: work.traceId, spanId: work.spanId })
    t.ok(first.ms >= 5)
    lines.length = 0
    await db.exec('create table t(a, b)')
    await db.many(`insert into t select n, ? from (${slow.replace('?', '1')})`, [[1], [2]])
    await db.batch([[slow, [1]], ['select 2']])
    await db.exec(slow.replace('?', '1'))
    const long = await failure(db.get(`select abs(-9223372036854775808) from (${slow})`, [1]))
    t.equal(long.code, 'SQLITE_ERROR')
    const found = lines.filter((line) => line.msg === 'slow statement' && line.sql.includes('recursive'))
    t.same(found.map((line) => [line.op, line.rows]), [['many', 2], ['batch', 2], ['exec', 0], ['get', undefined]].slice(0, found.length))
    t.ok(found.length >= 3)
    t.equal(found[1].sql, `${slow}; select 2`)
    if (found.length === 4) t.equal(found[3].code, 'SQLITE_ERROR')
  })

  t.test('rows of statements that take long', async (t) => {
    const { lines, db } = collect(t, { slowMs: 1 })
    const long = `(${slow.replace('?', '1')})`
    const rows = () => lines.splice(0).filter((line) => line.msg === 'slow statement').map((line) => [line.op, line.rows])
    await db.get(`select n as changes from ${long}`)
    await db.get(`select n from ${long} where n < 0`)
    await db.all(`select n from ${long} union all select 2`)
    for await (const row of db.iterate(`select n from ${long} union all select 2`)) t.ok(row)
    t.same(rows(), [['get', 1], ['get', 0], ['all', 2], ['cursor_open', undefined]])
    if (open.door !== 'addon') return
    const { sync } = db
    await db.exec('create table t(a)')
    rows()
    sync.get(`select n as changes from ${long}`)
    sync.get(`select n from ${long} where n < 0`)
    sync.all(`select n from ${long} union all select 2`)
    sync.values(`select n from ${long} union all select 2 union all select 3`)
    sync.run(`insert into t select n from ${long} union all select 2`)
    sync.many(`insert into t select ? from ${long}`, [[1], [2]])
    sync.batch([['select 1'], [`select n from ${long}`]])
    const text = lines.at(-1).sql
    t.equal(text, `select 1; select n from ${long}`)
    for (const row of sync.iterate(`select n from ${long}`)) t.ok(row)
    t.throws(() => sync.get(`select abs(-9223372036854775808) from ${long}`), { code: 'SQLITE_ERROR' })
    t.equal(lines.at(-1).code, 'SQLITE_ERROR')
    t.same(rows(), [['get', 1], ['get', 0], ['all', 2], ['all', 3], ['run', 2], ['many', 2], ['batch', 2], ['cursor_open', undefined], ['get', undefined]])
  })

  t.test('without slowMs nothing is measured, with false nothing is logged', async (t) => {
    const { lines, db } = collect(t)
    await db.get(slow, [1])
    t.same(lines, [])
    const store = open(t, { log: false })
    t.equal(store.log.level, 'silent')
    store.log.fatal('nobody hears it')
    await store.close()
  })
}

module.exports.sqlite = 'the log knows no database: what holds of it on one engine holds on the other'
