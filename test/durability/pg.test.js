'use strict'

// PostgreSQL: kill -9 of the process, of a backend of the server and of the whole server, in a loop of writes.
// Every row that was acknowledged is there, no transaction is there by half, and what was written with a key
// is there once, however often it was sent.

const t = require('tap')
const undercroft = require('../..')
const pg = require('../pg')
const { budget } = require('../budget')
const { child, delay, exact, fileTimeoutMs } = require('../helper')

t.setTimeout(fileTimeoutMs)

const why = pg.whyNot()

// Writes in every way there is and says what was acknowledged: `r <n>` a row, `p <n>` a pair of rows written
// in one transaction, `m <n>` ten rows of one `many`, `k <n>` a row with a key, repeated until it is told.
const body = async ({ undercroft, args, say }) => {
  const { db } = undercroft.open(args.url)
  let n = args.first
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
  const forever = async (kind, write) => {
    for (;;) {
      const own = n++
      try {
        await write(own)
        say(`${kind} ${own}`)
      } catch (err) {
        say(`e ${err.code} ${err.outcome}`)
        await pause(5)
      }
    }
  }
  for (let i = 0; i < 20; i++) forever('r', (own) => db.run('insert into r(n) values (?)', [own]))
  for (let i = 0; i < 4; i++) forever('r', (own) => db.get('insert into r(n) values (?) returning n', [own]))
  for (let i = 0; i < 3; i++) forever('r', (own) => db.run('update u set n = n + 1').then(() => db.run('insert into r(n) values (?)', [own])))
  for (let i = 0; i < 3; i++) {
    forever('p', (own) => db.transaction(async (tx) => {
      await tx.run("insert into p values (?, 'left')", [own])
      await tx.run("insert into p values (?, 'right')", [own])
    }))
  }
  forever('p', (own) => db.batch([["insert into p values (?, 'left')", [own]], ["insert into p values (?, 'right')", [own]]]))
  forever('m', (own) => db.many('insert into m values (?, ?)', Array.from({ length: 10 }, (_, k) => [own, k])))
  for (let i = 0; i < 8; i++) {
    forever('k', async (own) => {
      for (;;) {
        try {
          return await db.run('insert into k(n) values (?)', [own], { once: `key ${own}` })
        } catch (err) {
          await pause(5)
        }
      }
    })
  }
  // Fails, beside the others.
  forever('x', () => db.run('insert into r(n) values (-1), (-1)'))
}

const schema = `create table r(n bigint unique); create table p(n bigint, half text); create table m(n bigint, k int);
  create table k(n bigint); create table u(n bigint); insert into u values (0)`

function read (lines, acked) {
  for (const line of lines) {
    const [kind, n] = line.split(' ')
    if (acked[kind] !== undefined) acked[kind].add(Number(n))
  }
}

async function check (t, db, acked, what) {
  const r = new Set((await db.values('select n from r')).map(([n]) => n))
  const p = new Map(await db.values('select n, count(distinct half) from p group by n'))
  const m = new Map(await db.values('select n, count(*) from m group by n'))
  const k = new Map(await db.values('select n, count(*) from k group by n'))
  exact(t, {
    rows: [...acked.r].filter((n) => !r.has(n)).length,
    pairs: [...acked.p].filter((n) => p.get(n) !== 2).length,
    many: [...acked.m].filter((n) => m.get(n) !== 10).length,
    keyed: [...acked.k].filter((n) => k.get(n) === undefined).length
  }, { rows: 0, pairs: 0, many: 0, keyed: 0 }, `${what}: nothing acknowledged is lost`)
  exact(t, {
    pairs: [...p.values()].filter((n) => n !== 2).length,
    many: [...m.values()].filter((n) => n !== 10).length,
    twice: [...k.values()].filter((n) => n !== 1).length
  }, { pairs: 0, many: 0, twice: 0 }, `${what}: nothing is there by half, and nothing with a key twice`)
}

// The first that is still there: connections come and go.
function kill (pids) {
  for (const pid of pids) {
    try {
      process.kill(Number(pid), 'SIGKILL')
      return
    } catch (err) {
      if (err.code !== 'ESRCH') throw err
    }
  }
}

// What the server says, once it is over what was done to it.
async function recovered (server, sql) {
  for (;;) {
    try {
      return server.sql(sql)
    } catch (err) {
      if (!/the database system is|closed the connection/.test(err.stderr)) throw err
      await delay(20)
    }
  }
}

const sets = () => ({ r: new Set(), p: new Set(), m: new Set(), k: new Set() })
const total = (acked) => Object.values(acked).reduce((sum, set) => sum + set.size, 0)

// A transaction that fails, or writes nothing, flushes nothing: what was committed just before it waits for
// a flush of its own. Nobody else writes the log of this server to the disk.
t.test('what is acknowledged is flushed, whatever runs behind it', why === null ? {} : { skip: why }, async (t) => {
  const server = await pg.start(t, {
    fsync: true, settings: { wal_writer_delay: '10s', wal_writer_flush_after: '1GB', autovacuum: 'off' }
  })
  const url = server.fresh(t)
  server.sql('create table r(n bigint unique); create table w(n int)', server.nameOf(url))
  const nothing = (db) => db.run('insert into r select 1 where false')
  const failing = (db) => db.run('insert into r values (-1), (-1)')
  const keyed = (db) => db.run('insert into r values (-1), (-1)', [], { once: `key ${Math.random()}` })
  const behind = {
    'nothing else': [],
    'an insert of no row': [nothing],
    'an insert that fails': [failing],
    'both, in one transaction': [nothing, failing],
    'an insert with a key that fails': [keyed],
    'an update of no row': [(db) => db.run('update r set n = 0 where n = -1')],
    'a script': [(db) => db.exec('update r set n = 0 where n = -1')],
    'a script that fails': [(db) => db.exec('select 1; select 1 / 0')]
  }
  for (const [what, others] of Object.entries(behind)) {
    const store = undercroft.open(url)
    // Its connection is there, and all of the statements come in one turn.
    await store.db.run('delete from w')
    const acked = []
    const note = (n) => () => acked.push(n, n)
    await Promise.all([
      store.db.batch([['insert into w values (1)'], ['insert into w values (1)']]).then(note(1)),
      store.db.many('insert into w values (?)', [[2], [2]]).then(note(2)),
      ...others.map((other) => other(store.db).catch((err) => t.ok(err.code, `${what}: ${err.code}`)))
    ])
    await server.stop('kill')
    await server.again()
    const found = server.sql("select string_agg(n::text, ' ') from w", server.nameOf(url)).split(' ').map(Number)
    exact(t, found, acked, `${what}: what was acknowledged is there when the server is killed right after that`)
    await store.close()
  }
})

t.test('killed: the process, backends, the server', why === null ? {} : { skip: why }, async (t) => {
  // What a server that is killed keeps it has to have told the disk.
  const server = await pg.start(t, { fsync: true })
  const url = server.fresh(t)
  server.sql(schema, server.nameOf(url))
  const rounds = Math.max(3, budget.of(12))
  for (let round = 0; round < rounds; round++) {
    const acked = sets()
    const how = ['backends', 'server', 'process'][round % 3]
    const result = child(t, body, { args: { url, first: round * 10000000 } })
    const told = (more) => {
      read(result.lines.splice(0), acked)
      return total(acked) >= more
    }
    const until = async (more) => { while (!told(more) && result.signal === null && result.code === null) await delay(5) }
    await until(200)
    for (let i = 0; i < (how === 'process' ? 0 : 3); i++) {
      if (how === 'backends') {
        // Any of them, in the middle of whatever it does: the server ends all others then.
        const of = `from pg_stat_activity where datname = '${server.nameOf(url)}'`
        if (i === 1) kill((await recovered(server, `select pid ${of}`)).split('\n').filter(Boolean))
        else await recovered(server, `select pg_terminate_backend(pid) ${of}`)
      } else {
        await server.stop('kill')
        await server.again()
      }
      const before = total(acked)
      await until(before + 100)
      t.ok(total(acked) >= before + 100, `round ${round}, ${how}: it goes on`)
    }
    result.proc.kill('SIGKILL')
    await result.done
    told(0)
    const store = undercroft.open(url)
    await check(t, store.db, acked, `round ${round}, ${how}, ${total(acked)} acknowledgements`)
    await store.close()
  }
})
