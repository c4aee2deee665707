'use strict'

// Backups: made, followed, brought back as of a moment, and tried.

const fs = require('node:fs')
const path = require('node:path')
const { execFile, spawn } = require('node:child_process')
const { exact, root, tmpdir } = require('../helper')
const { until, withServer } = require('./common')

const program = path.join(root, 'lib/cli/main.js')

// -> { code, out, err }
const cli = (...args) => new Promise((resolve) => execFile(process.execPath, [program, 'pg', ...args], { cwd: root },
  (error, out, err) => resolve({ code: error?.code ?? 0, out, err })))

withServer({ tcp: true }, async (t, server) => {
  const ok = async (t, ...args) => {
    const result = await cli(...args, '--json')
    t.equal(result.code, 0, `${args.slice(0, 2).join(' ')}: ${result.err.trim().split('\n').at(-1)}`)
    return result.code === 0 && result.out !== '' ? JSON.parse(result.out) : null
  }
  const leftovers = () => fs.readdirSync(require('node:os').tmpdir()).filter((name) => name.startsWith('undercroft-restore-'))
  const before = leftovers()
  server.sql('create database shop')
  server.sql('create table orders(id serial, what text); insert into orders(what) select repeat(sha256(i::text::bytea)::text, 100) from generate_series(1, 500) i', 'shop')

  await t.test('one, and those that are too many', async (t) => {
    const to = path.join(tmpdir(t), "it's 100 %")
    const names = []
    for (let i = 0; i < 3; i++) {
      const { name, removed } = await ok(t, 'backup', '--db', server.url(), '--to', to, '--keep', '2')
      names.push(name)
      exact(t, removed, i === 2 ? [names[0]] : [])
    }
    exact(t, fs.readdirSync(path.join(to, 'base')), names.slice(1))
    const found = await ok(t, 'restore', '--from', to, '--check', '--database', 'shop', '--query', 'select count(*) as n from orders')
    exact(t, [found.name, found.rows], [names[2], [{ n: 500 }]])
    exact(t, found.databases.find(({ name }) => name === 'shop'), { name: 'shop', tables: 1, rows: 500 })
    const at = await cli('restore', '--from', to, '--check', '--at', new Date().toISOString())
    t.equal(at.code, 1)
    t.match(at.err, /backups and no log/)
    // A page is damaged on the disk of the backups. Without checksums the server would give what is left.
    const file = server.sql("select pg_relation_filepath('orders')", 'shop')
    const page = path.join(to, 'base', names[2], file)
    const fd = fs.openSync(page, 'r+')
    fs.writeSync(fd, Buffer.alloc(4096, 0xee), 0, 4096, 8192 + 100)
    fs.closeSync(fd)
    const damaged = await cli('restore', '--from', to, '--check')
    t.equal(damaged.code, 1, 'a damaged page')
    t.match(damaged.err, /pg_verifybackup failed.*checksum mismatch/)
  })

  await t.test('followed: each moment comes back, whatever happens to who follows', async (t) => {
    const to = path.join(tmpdir(t), 'followed')
    server.sql('create role keeper replication login')
    const url = server.url().replace('postgres@', 'keeper@')
    const begin = () => {
      const proc = spawn(process.execPath, [program, 'pg', 'backup', '--db', url, '--to', to, '--every', '1d'], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
      proc.log = ''
      proc.stderr.setEncoding('utf8').on('data', (text) => { proc.log += text })
      proc.ended = new Promise((resolve) => proc.on('close', resolve))
      t.teardown(() => proc.kill('SIGKILL'))
      return proc
    }
    const first = begin()
    await until(() => /Z: \d+ MiB/.test(first.log), 'a backup', 180_000)
    server.sql("insert into orders(what) values ('early')", 'shop')
    const moment = Number(server.sql('select (extract(epoch from clock_timestamp()) * 1000)::bigint + 1', 'shop'))
    await until(() => Date.now() > moment, 'the moment has passed')
    first.kill('SIGKILL')
    await first.ended
    await until(() => server.sql('select count(*) from pg_stat_replication') === '0', 'what it has started ends with it')
    // As if that had been killed while it made room for a segment; the slot keeps the log.
    const [partial] = fs.readdirSync(path.join(to, 'wal')).filter((name) => name.endsWith('.partial'))
    fs.truncateSync(path.join(to, 'wal', partial), 123_456)
    server.sql("delete from orders where id > 100; insert into orders(what) values ('late')", 'shop')
    const second = begin()
    const here = server.sql('select pg_current_wal_flush_lsn()')
    await until(() => server.sql(`select count(*) from pg_stat_replication where flush_lsn >= '${here}'`) === '1', 'the log is there', 180_000)
      .catch((err) => { throw new Error(`${err.message}: ${second.log} ${server.sql('select state, sent_lsn, flush_lsn, pg_current_wal_lsn() from pg_stat_replication')}`) })
    const query = ['--database', 'shop', '--query', "select count(*) as n, string_agg(what, ' ' order by id) filter (where what in ('early', 'late')) as what from orders"]
    const late = await ok(t, 'restore', '--from', to, '--check', ...query)
    exact(t, late.rows, [{ n: 101, what: 'late' }], 'as late as the log goes')
    const early = await ok(t, 'restore', '--from', to, '--check', '--at', new Date(moment).toISOString(), ...query)
    exact(t, early.rows, [{ n: 501, what: 'early' }], 'a moment before the mistake')
    const ancient = await cli('restore', '--from', to, '--check', '--at', '2001-01-01T00:00:00Z')
    t.match(ancient.err, /there is nothing from before it/)
    const data = path.join(to, 'data')
    const result = await ok(t, 'restore', '--from', to, '--to', data, '--at', new Date(moment).toISOString())
    exact(t, result.to, data)
    t.ok(fs.existsSync(path.join(data, 'recovery.signal')))
    t.match((await cli('restore', '--from', to, '--to', data)).err, /is not empty/)
    second.kill('SIGTERM')
    t.equal(await second.ended, 0, second.log)
    t.notMatch(second.log, /Z: \d+ MiB/, 'the next one is due tomorrow')
  })

  await t.test('what is wrong', async (t) => {
    const to = path.join(tmpdir(t), 'none')
    for (const [args, pattern] of [
      [['backup', '--to', to], /--db is missing/],
      [['backup', '--db', server.url()], /--to is missing: a folder/],
      [['backup', '--db', server.url(), '--to', to, '--every', '1h'], /--every is a span/],
      [['backup', '--db', server.url().replace('postgres@', 'nobody@'), '--to', to], /pg_basebackup failed .*role "nobody" does not exist/],
      [['restore', '--from', to, '--check'], /has no backups/],
      [['restore', '--from', to], /--to is missing/],
      [['restore', '--from', to, '--check', '--to', to], /one of them/],
      [['restore', '--from', to, '--to', to, '--query', 'select 1'], /--query is for --check/],
      [['restore', '--from', to, '--check', '--at', 'yesterday'], /--at is a moment/]
    ]) {
      const result = await cli(...args)
      t.not(result.code, 0, args.join(' '))
      t.match(result.err, pattern)
    }
    exact(t, fs.existsSync(path.join(to, 'base')) ? fs.readdirSync(path.join(to, 'base')) : [], [], 'nothing is left of what failed')
    exact(t, leftovers().filter((name) => !before.includes(name)), [], 'nor of a check')
  })
})
