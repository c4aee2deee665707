'use strict'

// One process of model.test.js. Its lanes work side by side through one handle, each on keys of
// its own and beside a Map that does the same; so each answer is known beforehand, and at the end
// all of them together are what has to be in the database. What all processes share (counters,
// rows under keys that all of them use) is summed up by the parent.

const util = require('node:util')
const { random } = require('../random')

const KEYS = 60
const BURST = 6
// Rows under a key that every process uses: one of them writes it.
const CLAIMS = 100

const TEXTS = ['', 'plain', 'naïve', 'снег', '雪🙂', 'x'.repeat(700), 'ÿ'.repeat(300), '🙂'.repeat(2000)]

const upsert = 'insert into kv(proc, lane, k, v, n) values (?, ?, ?, ?, ?) on conflict do update set v = excluded.v, n = excluded.n'
const mine = 'select k, v, n from kv where proc = ? and lane = ? order by k'

class Lane {
  #db
  #pick
  #who
  #rows = new Map() // k -> { v, n }
  #logged = []
  #added = new Map() // counter -> sum
  #calls = 0
  #onces = 0
  #waiting = []

  constructor (db, proc, lane, seed) {
    this.#db = db
    this.#who = [proc, lane]
    this.#pick = random(seed)
  }

  /** What has to be in the database: [proc, lane, k, v, n] and [proc, lane, text]. */
  get wanted () {
    return {
      kv: this.#sorted().map(({ k, v, n }) => [...this.#who, k, Buffer.isBuffer(v) ? { b: v.toString('hex') } : v, n]),
      log: this.#logged.map((text) => [...this.#who, text]),
      added: [...this.#added]
    }
  }

  async work (count) {
    while (this.#calls < count) {
      const kind = this.#pick(100)
      if (kind < 4) {
        await this.#transaction(kind === 0)
      } else if (kind < 7) {
        await this.#iterate()
      } else {
        // Writes and then reads that have to see them, none of them awaited before the next.
        for (let i = this.#pick(BURST); i >= 0; i--) this.#write()
        for (let i = this.#pick(3); i > 0; i--) this.#read()
        for (const check of this.#waiting.splice(0)) await check
      }
    }
    return this.#calls
  }

  // ---- calls ---------------------------------------------------------------------------

  #expect (what, promise, wanted) {
    this.#calls++
    const sql = new Error(what)
    const check = promise.then((found) => {
      if (util.isDeepStrictEqual(found, wanted)) return
      sql.message += `: found ${util.inspect(found, { breakLength: Infinity }).slice(0, 600)}, wanted ${util.inspect(wanted, { breakLength: Infinity }).slice(0, 600)}`
      throw sql
    })
    check.catch(() => {})
    this.#waiting.push(check)
    return check
  }

  #changes (what, promise, changes) {
    return this.#expect(what, promise.then((answer) => answer.changes), changes)
  }

  #write () {
    const db = this.#db
    const k = this.#pick(KEYS)
    const kind = this.#pick(20)
    if (kind < 7) {
      const row = this.#row()
      this.#changes('upsert', db.run(upsert, [...this.#who, k, row.v, row.n]), 1)
      this.#rows.set(k, row)
    } else if (kind < 10) {
      const row = this.#rows.get(k)
      this.#changes('update', db.run('update kv set n = n + 1 where proc = ? and lane = ? and k = ?', [...this.#who, k]), row ? 1 : 0)
      if (row) this.#rows.set(k, { v: row.v, n: row.n + 1 })
    } else if (kind < 13) {
      this.#changes('delete', db.run('delete from kv where proc = ? and lane = ? and k = ?', [...this.#who, k]), this.#rows.delete(k) ? 1 : 0)
    } else if (kind < 14) {
      this.#insertTwice(k)
    } else if (kind < 15) {
      this.#many()
    } else if (kind < 16) {
      this.#batch(k)
    } else if (kind < 17) {
      this.#failingBatch(k)
    } else if (kind < 18) {
      this.#claim()
    } else {
      const counter = this.#pick(10)
      this.#changes('counter', db.run('update counters set n = n + ? where k = ?', [k, counter]), 1)
      this.#add(counter, k)
    }
  }

  #read () {
    const k = this.#pick(KEYS)
    switch (this.#pick(5)) {
      case 0:
        return this.#expect('all', this.#db.all(mine, this.#who), this.#sorted())
      case 1:
        return this.#expect('json', this.#db.json('select k, n from kv where proc = ? and lane = ? order by k', this.#who).then((bytes) => JSON.parse(bytes.toString())),
          this.#sorted().map(({ k, n }) => ({ k, n })))
      case 2:
        return this.#expect('values', this.#db.values('select text from log where proc = ? and lane = ? order by rowid', this.#who), this.#logged.map((text) => [text]))
      default: {
        const row = this.#rows.get(k)
        return this.#expect('get', this.#db.get('select v, n from kv where proc = ? and lane = ? and k = ?', [...this.#who, k]), row && { ...row })
      }
    }
  }

  // The same write under one key, twice or three times: it counts once and answers the same.
  #insertTwice (k) {
    const once = this.#key()
    const text = `${once} ${TEXTS[k % TEXTS.length]}`
    const insert = () => this.#db.run('insert into log(proc, lane, text) values (?, ?, ?)', [...this.#who, text], { once })
    const first = insert()
    this.#changes('insert once', first, 1)
    for (let i = this.#pick(2); i >= 0; i--) {
      const again = insert()
      this.#expect('the same answer', Promise.all([first, again]).then(([a, b]) => util.isDeepStrictEqual(a, b)), true)
    }
    this.#logged.push(text)
  }

  #many () {
    const once = this.#key()
    const texts = Array.from({ length: 1 + this.#pick(30) }, (_, i) => `${once}.${i}`)
    const insert = () => this.#db.many('insert into log(proc, lane, text) values (?, ?, ?)', texts.map((text) => [...this.#who, text]), { once })
    this.#changes('many', insert(), texts.length)
    if (this.#pick(3) === 0) this.#changes('many again', insert(), texts.length)
    this.#logged.push(...texts)
  }

  #batch (k) {
    const once = this.#key()
    const row = this.#row()
    const steps = [
      [upsert, [...this.#who, k, row.v, row.n]],
      ['insert into log(proc, lane, text) values (?, ?, ?)', [...this.#who, once]],
      ['select v, n from kv where proc = ? and lane = ? and k = ?', [...this.#who, k]]
    ]
    const apply = () => this.#expect('batch', this.#db.batch(steps, { once }).then(([a, b, rows]) => [a.changes, b.changes, rows]), [1, 1, [{ ...row }]])
    apply()
    if (this.#pick(3) === 0) apply()
    this.#rows.set(k, row)
    this.#logged.push(once)
  }

  // Its last step violates a constraint: nothing of it is there.
  #failingBatch (k) {
    const steps = [
      [upsert, [...this.#who, k, 'never', -1]],
      ['insert into log(proc, lane, text) values (?, ?, ?)', [...this.#who, 'never']],
      ['insert into counters(k, n) values (0, 0)']
    ]
    this.#expect('failing batch', this.#db.batch(steps).then(() => 'it went well', (err) => `${err.code} ${err.index}`), 'SQLITE_CONSTRAINT_PRIMARYKEY 2')
  }

  // Every process does this, with the same key and the same request.
  #claim () {
    const once = `claim ${this.#pick(CLAIMS)}`
    this.#changes('claim', this.#db.run('insert into claims(key) values (?)', [once], { once }), 1)
  }

  async #transaction (isUndone) {
    const copy = new Map(this.#rows)
    const counter = this.#pick(10)
    const end = new Error('undone')
    const steps = 1 + this.#pick(4)
    const work = this.#db.transaction(async (tx) => {
      for (let i = 0; i < steps; i++) {
        const k = this.#pick(KEYS)
        const row = this.#row()
        this.#calls++
        await tx.run(upsert, [...this.#who, k, row.v, row.n])
        copy.set(k, row)
      }
      await this.#expect('all in the transaction', tx.all(mine, this.#who), this.#sorted(copy))
      await this.#changes('counter in the transaction', tx.run('update counters set n = n + 1 where k = ?', [counter]), 1)
      if (isUndone) throw end
    })
    this.#calls++
    await work.catch((err) => { if (err !== end) throw err })
    this.#waiting.length = 0
    if (isUndone) return
    this.#rows = copy
    this.#add(counter, 1)
  }

  async #iterate () {
    this.#calls++
    const found = []
    const wanted = this.#sorted()
    const most = this.#pick(2) === 0 ? Infinity : this.#pick(wanted.length + 1)
    for await (const row of this.#db.iterate(mine, this.#who)) {
      found.push(row)
      if (found.length >= most) break
    }
    await this.#expect('iterate', Promise.resolve(found), wanted.slice(0, Math.max(most, wanted.length > 0 ? 1 : 0)))
    this.#waiting.length = 0
  }

  // ---- the model -------------------------------------------------------------------------

  #row () {
    const kind = this.#pick(12)
    const v = kind < 8
      ? TEXTS[kind]
      : [null, this.#pick(1000000), this.#pick(1000) / 7, Buffer.alloc(this.#pick(2000), this.#pick(256))][kind - 8]
    return { v, n: this.#pick(1000) }
  }

  #sorted (rows = this.#rows) {
    return [...rows].sort(([a], [b]) => a - b).map(([k, { v, n }]) => ({ k, v, n }))
  }

  #key () {
    return `${this.#who.join('.')}.${++this.#onces}`
  }

  #add (counter, n) {
    this.#added.set(counter, (this.#added.get(counter) ?? 0) + n)
  }
}

// args: { url, proc, lanes, count, seed, result: a file for what has to be in the database }
module.exports = async ({ undercroft, args, say }) => {
  const { url, proc, count, seed, result } = args
  const store = undercroft.open(url, { timeoutMs: 60000 })
  const lanes = Array.from({ length: args.lanes }, (_, i) => new Lane(store.db, proc, i, seed + i))
  const calls = await Promise.all(lanes.map((lane) => lane.work(Math.ceil(count / lanes.length))))
  await store.close()
  const all = { kv: [], log: [], added: [] }
  for (const { wanted } of lanes) for (const key of Object.keys(all)) all[key].push(...wanted[key])
  require('node:fs').writeFileSync(result, JSON.stringify(all))
  say(calls.reduce((a, b) => a + b, 0))
}
