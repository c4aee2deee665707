'use strict'
// listen: what a server notifies, in the process and through a daemon.

const { exact, failure, startDaemon, tmpfile } = require('../helper')
const { open } = require('../../lib/store')
const { store, until, withServer } = require('./common')

withServer({}, async (t, server) => {
  const doors = {
    'in the process': (t, url) => () => store(t, url),
    'through a daemon': (t, url) => {
      const d = startDaemon(t, ['--db', `main=${url}`])
      return () => store(t, d.url)
    }
  }

  for (const [how, door] of Object.entries(doors)) {
    t.test(how, async (t) => {
      const url = server.fresh(t)
      const name = server.nameOf(url)
      const connect = door(t, url)
      const { db } = connect()
      const orders = db.listen('orders')
      await orders.ready

      await t.test('channel and payload, of anybody, in order', async (t) => {
        server.sql("notify orders, 'one'; select pg_notify('orders', 'two'); notify other, 'no'; notify orders", name)
        const seen = [await orders.next(), await orders.next(), await orders.next()]
        exact(t, seen.map(({ value }) => value), ['one', 'two', ''].map((payload) => ({ channel: 'orders', payload, missed: false })))
        await db.run("select pg_notify('orders', ?)", ['of its own'])
        exact(t, (await orders.next()).value.payload, 'of its own')
        await failure(db.transaction(async (tx) => {
          await tx.run("select pg_notify('orders', 'never')")
          throw new Error('no')
        }))
        await db.run("select pg_notify('orders', 'after')")
        exact(t, (await orders.next()).value.payload, 'after', 'what was rolled back does not come')
      })

      await t.test('names as they are', async (t) => {
        const odd = db.listen('A "b" é')
        await odd.ready
        server.sql('notify "A ""b"" é", \'here\'', name)
        exact(t, (await odd.next()).value, { channel: 'A "b" é', payload: 'here', missed: false })
        await odd.return()
      })

      await t.test('several at once, and what comes while nobody asks', async (t) => {
        const other = connect().db.listen('orders')
        await other.ready
        server.sql("select pg_notify('orders', i::text) from generate_series(1, 500) i", name)
        for (const stream of [orders, other]) {
          const seen = []
          for await (const { payload } of stream) {
            seen.push(Number(payload))
            if (seen.length === 500) break
          }
          exact(t, seen, Array.from({ length: 500 }, (_, i) => i + 1))
        }
      })

      await t.test('more than is kept is said', async (t) => {
        const stream = db.listen('many')
        await stream.ready
        // The first answer is on its way already; what comes behind it is kept up to a limit.
        server.sql("notify many, 'first'", name)
        exact(t, (await stream.next()).value.payload, 'first')
        server.sql("notify many, 'second'", name)
        server.sql("select pg_notify('many', i::text) from generate_series(1, 3000) i", name)
        server.sql("notify many, 'last'", name)
        let missed = 0
        let last
        for await (const one of stream) {
          missed += one.missed
          last = one.payload
          if (last === 'last') break
        }
        t.ok(missed <= 1, 'once at most')
        t.equal(last, 'last')
      })

      await t.test('a connection that is lost', async (t) => {
        const stream = db.listen('lost')
        await stream.ready
        const next = stream.next()
        server.sql("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and (query ilike 'listen%' or query ilike '%txid_current_snapshot%')")
        exact(t, (await next).value, { channel: 'lost', payload: null, missed: true }, 'it is back, and says so')
        server.sql("notify lost, 'again'", name)
        exact(t, (await stream.next()).value.payload, 'again')
        await stream.return()
      })

      await t.test('a signal, return and wrong arguments', async (t) => {
        const stop = new AbortController()
        const reason = new Error('enough')
        const stream = db.listen('x', { signal: stop.signal })
        await stream.ready
        const waiting = failure(stream.next())
        stop.abort(reason)
        t.equal(await waiting, reason)
        t.equal((await stream.next()).done, true)
        for (const channel of ['', 5, undefined, 'a\0', 'x'.repeat(64)]) t.equal((await failure(db.listen(channel).next())).code, 'UC_OPTION')
        t.match((await failure(db.listen('x', { timeoutMs: 5 }).next())).message, /timeoutMs/)
      })

      await t.test('closing ends it', async (t) => {
        const other = connect()
        const stream = other.db.listen('closing')
        await stream.ready
        const waiting = stream.next()
        await other.close()
        t.equal((await waiting).done, true)
        t.equal((await failure(other.db.listen('closing').next())).code, 'UC_CLOSED')
      })
    })
  }

  t.test('a restart of the server', async (t) => {
    const { db } = store(t, server.fresh(t))
    const stream = db.listen('restart')
    await stream.ready
    const next = stream.next()
    await server.stop('fast')
    await server.again()
    t.equal((await next).value.missed, true)
  })

  t.test('on SQLite there is none', async (t) => {
    const { db } = open(tmpfile(t))
    const err = await failure(db.listen('x').next())
    t.equal(err.code, 'UC_NOT_HERE')
    t.match(err.message, /PostgreSQL/)
    await until(async () => (await db.get('select 1 as one')).one === 1, 'it goes on')
  })
})
