'use strict'

// One process of soak.test.js. It writes in every way there is until it is told to stop or is
// killed, and says before it sends a write and after it was acknowledged:
//
//   try KIND n, ack KIND n      one: a row; many: five of one call; batch, tx: two halves
//
// Writes with a key are repeated until there is an answer. Without one (KIND plain) a write whose
// outcome is unknown is left alone: it may be there once.

const REPEATED = new Set(['UC_CONNECTION_LOST', 'UC_CONNECT', 'UC_TIMEOUT', 'UC_CLOSED', 'UC_BUSY'])
// A transaction ends with its connection, or because this process was stopped for too long.
const ENDED = new Set([...REPEATED, 'UC_TX_EXPIRED', 'UC_TX_CLOSED'])

const ways = {
  one: (db, who, n, once) => db.run('insert into rows values (?, ?, ?, 0)', [who, 'one', n], { once }),
  plain: (db, who, n) => db.run('insert into rows values (?, ?, ?, 0)', [who, 'plain', n]),
  many: (db, who, n, once) => db.many('insert into rows values (?, ?, ?, ?)', [0, 1, 2, 3, 4].map((part) => [who, 'many', n, part]), { once }),
  batch: (db, who, n, once) => db.batch([0, 1].map((part) => ['insert into rows values (?, ?, ?, ?)', [who, 'batch', n, part]]), { once }),
  tx: (db, who, n) => db.transaction(async (tx) => {
    await tx.run('insert into rows values (?, ?, ?, 0)', [who, 'tx', n])
    await tx.run('insert into rows values (?, ?, ?, 1)', [who, 'tx', n])
  })
}

// args: { url, who }
module.exports = async ({ undercroft, args, say }) => {
  const { url, who } = args
  const store = undercroft.open(url, { timeoutMs: 5000, connectTimeoutMs: 3000 })
  const { db } = store
  let n = 0
  let acked = 0
  let over = false
  process.stdin.on('end', () => { over = true }).resume()

  const write = async (kind) => {
    while (!over) {
      const own = ++n
      say(`try ${kind} ${own}`)
      for (;;) {
        try {
          await ways[kind](db, who, own, `${who} ${own}`)
          if (kind === 'one') acked++
          say(`ack ${kind} ${own}`)
          break
        } catch (err) {
          say(`error ${err.code} ${err.outcome}`)
          if (!(kind === 'tx' ? ENDED : REPEATED).has(err.code)) throw err
          if (kind === 'tx' || kind === 'plain') break
        }
      }
    }
  }

  // What was acknowledged before is seen, whichever daemon answers.
  const read = async () => {
    while (!over) {
      const least = acked
      try {
        const row = await db.get("select count(*) as n from rows where who = ? and kind = 'one'", [who])
        if (row.n < least) throw new Error(`${row.n} rows where ${least} had been acknowledged`)
      } catch (err) {
        if (!REPEATED.has(err.code)) throw err
      }
    }
  }

  const iterate = async () => {
    while (!over) {
      try {
        let last = -1
        for await (const row of db.iterate('select rowid as id from rows order by rowid desc limit 3000')) {
          if (last !== -1 && row.id >= last) throw new Error('rows out of order')
          last = row.id
        }
      } catch (err) {
        if (!ENDED.has(err.code) && err.code !== 'UC_CURSOR_EXPIRED' && err.code !== 'UC_CURSORS') throw err
      }
    }
  }

  await Promise.all([...['one', 'one', 'one', 'plain', 'plain', 'many', 'batch', 'tx'].map(write), read(), read(), iterate()])
  await store.close()
  say('over')
}
