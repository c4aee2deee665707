'use strict'

// A random mixture of everything that writes, against a model that does it one after the other in
// the order of the calls. Each call's outcome and the final state have to be the model's.

const { exact, failure } = require('../../helper')

// A small generator with a seed, so that a failure can be had again.
function random (seed) {
  return (n) => {
    seed = (seed * 1103515245 + 12345) % 2147483648
    return Math.floor(seed / 65536) % n
  }
}

const OK = 'ok'
const CONFLICT = 'conflict'

// t(id integer primary key, v unique) as two maps, with a copy for undoing.
class Model {
  constructor (rows = new Map()) {
    this.rows = rows
  }

  copy () {
    return new Model(new Map(this.rows))
  }

  #holder (v) {
    for (const [id, other] of this.rows) if (other === v) return id
  }

  apply ({ kind, id, v }) {
    const holder = this.#holder(v)
    switch (kind) {
      case 'insert':
      case 'insert or rollback':
      case 'insert or abort':
        if (this.rows.has(id) || holder !== undefined) return CONFLICT
        this.rows.set(id, v)
        return OK
      case 'insert or ignore':
        if (!this.rows.has(id) && holder === undefined) this.rows.set(id, v)
        return OK
      case 'insert or replace':
        if (holder !== undefined) this.rows.delete(holder)
        this.rows.set(id, v)
        return OK
      case 'update':
        if (!this.rows.has(id) || holder === id) return OK
        if (holder !== undefined) return CONFLICT
        this.rows.set(id, v)
        return OK
      case 'delete':
        this.rows.delete(id)
        return OK
    }
  }

  // All of them or none.
  all (steps) {
    const trial = this.copy()
    for (const step of steps) if (trial.apply(step) === CONFLICT) return CONFLICT
    this.rows = trial.rows
    return OK
  }
}

function statement ({ kind, id, v }, isPg) {
  if (kind === 'update') return ['update t set v = ? where id = ?', [v, id]]
  if (kind === 'delete') return ['delete from t where id = ?', [id]]
  if (isPg && kind === 'insert or ignore') return ['insert into t(id, v) values (?, ?) on conflict do nothing', [id, v]]
  return [`${kind} into t(id, v) values (?, ?)`, [id, v]]
}

const allKinds = ['insert', 'insert', 'insert or rollback', 'insert or abort', 'insert or ignore', 'insert or replace', 'update', 'delete']
const plain = ['insert', 'insert', 'update', 'delete']

module.exports = (t, open) => {
  const { code } = open.sql
  const isPg = open.engine === 'pg'
  const kinds = isPg ? ['insert', 'insert', 'insert or ignore', 'update', 'delete'] : allKinds
  const isConflict = (err) => isPg ? err.code === code.unique : /^SQLITE_CONSTRAINT/.test(err.code)

  const run = async (t, db, seed, calls) => {
    const pick = random(seed)
    const model = new Model()
    const step = (list) => ({ kind: list[pick(list.length)], id: 1 + pick(60), v: pick(60) })
    const told = (promise) => promise.then(() => OK, (err) => isConflict(err) ? CONFLICT : err.code ?? err.message)
    const found = []
    const wanted = []
    let transactions = 0
    for (let i = 0; i < calls; i++) {
      switch (pick(12)) {
        case 0: {
          const steps = Array.from({ length: 1 + pick(4) }, () => step(plain))
          wanted.push(model.all(steps))
          found.push(told(db.batch(steps.map((one) => statement(one, isPg)))))
          break
        }
        case 1: {
          const steps = Array.from({ length: 1 + pick(4) }, () => ({ ...step(plain), kind: 'insert' }))
          wanted.push(model.all(steps))
          found.push(told(db.many('insert into t(id, v) values (?, ?)', steps.map(({ id, v }) => [id, v]))))
          break
        }
        case 2: {
          const steps = Array.from({ length: 1 + pick(4) }, () => step(plain))
          const text = steps.map(({ kind, id, v }) => kind === 'update'
            ? `update t set v = ${v} where id = ${id}`
            : kind === 'delete' ? `delete from t where id = ${id}` : `insert into t(id, v) values (${id}, ${v})`).join('; ')
          wanted.push(model.all(steps))
          found.push(told(db.exec(pick(2) ? text : `begin; ${text}; commit`)))
          break
        }
        case 3: {
          // Failing statements inside are caught; now and then the whole is undone.
          const steps = Array.from({ length: 1 + pick(4) }, () => step(plain))
          const undo = pick(3) === 0
          const trial = model.copy()
          const inner = steps.map((each) => trial.apply(each))
          if (!undo) model.rows = trial.rows
          wanted.push(undo ? 'undo' : OK)
          transactions++
          // On PostgreSQL it has no place among the writes, and an error ends what it is in.
          if (isPg) await Promise.all(found)
          found.push(told(db.transaction(async (tx) => {
            for (const [k, each] of steps.entries()) {
              const end = await told(isPg ? tx.transaction((one) => one.run(...statement(each, isPg))) : tx.run(...statement(each)))
              if (end !== inner[k]) throw new Error(`in a transaction, call ${i}, step ${k}: ${end} instead of ${inner[k]}`)
            }
            if (undo) throw new Error('undo')
          })).finally(() => transactions--))
          if (isPg) await found.at(-1)
          break
        }
        case 4:
          wanted.push('AbortError')
          found.push(db.run(...statement(step(kinds), isPg), { signal: AbortSignal.abort() }).then(() => OK, (err) => err.name))
          break
        case 5:
          wanted.push(code.noColumn)
          found.push(told(db.run('insert into t(id, nope) values (1, 2)')))
          break
        case 6:
          wanted.push(OK)
          found.push(told(db.all('select * from t')))
          break
        case 7:
          if (open.sync && transactions === 0) {
            const each = step(kinds)
            wanted.push(model.apply(each))
            const err = (() => { try { db.sync.run(...statement(each)) } catch (err) { return err } })()
            found.push(err === undefined ? OK : /^SQLITE_CONSTRAINT/.test(err.code) ? CONFLICT : err.code)
          }
          break
        default: {
          const each = step(kinds)
          wanted.push(model.apply(each))
          found.push(told(db.run(...statement(each, isPg))))
        }
      }
      if (pick(20) === 0) await found.at(-1)
      if (pick(40) === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const ends = await Promise.all(found)
    const wrong = ends.findIndex((end, i) => end !== wanted[i])
    t.equal(wrong, -1, wrong < 0 ? `seed ${seed}: ${ends.length} calls end as the model's` : `seed ${seed}: call ${wrong} ended as ${ends[wrong]} instead of ${wanted[wrong]}`)
    const rows = new Map(await db.values('select id, v from t'))
    exact(t, new Map([...rows].sort((a, b) => a[0] - b[0])), new Map([...model.rows].sort((a, b) => a[0] - b[0])), `seed ${seed}: the final state`)
  }

  t.test('on a file', async (t) => {
    const first = Number(process.env.UNDERCROFT_SEED ?? Date.now() % 100000)
    t.comment(`UNDERCROFT_SEED=${first}`)
    for (let seed = first; seed < first + 6; seed++) {
      const store = open(t)
      await store.db.exec('create table t(id integer primary key, v int unique)')
      await run(t, store.db, seed, 700)
      if (!isPg) exact(t, await store.db.get('pragma integrity_check'), { integrity_check: 'ok' }, `seed ${seed}: sound`)
      await store.close()
    }
  })

  t.test('in memory', open.only('sqlite', 'memory'), async (t) => {
    for (const seed of [1, 2]) {
      const { db } = open.at(t, ':memory:')
      await db.exec('create table t(id integer primary key, v unique)')
      await run(t, db, seed, 400)
    }
  })

  t.test('two handles of one file: what each was told is what is there', async (t) => {
    const file = open.file(t)
    const handles = [open.at(t, file).db, open.at(t, file).db]
    await handles[0].exec(`create table t(id ${open.sql.id}, who int, n int, unique (who, n))`)
    const told = new Map()
    const work = async (db, who) => {
      const pick = random(who + 1)
      const calls = []
      for (let n = 0; n < 400; n++) {
        const insert = 'insert into t(who, n) values (?, ?) returning id'
        const keep = (row) => told.set(row.id, `${who} ${n}`)
        if (n % 9 === 8) calls.push(failure(db.run(isPg ? insert : 'insert or rollback into t(who, n) values (?, ?)', [who, n - 8])))
        else if (n % 17 === 16) calls.push(db.transaction((tx) => tx.get(insert, [who, n])).then(keep))
        else calls.push(db.get(insert, [who, n]).then(keep))
        // Transactions have no place among the writes on PostgreSQL.
        if (pick(30) === 0 || (isPg && n % 17 === 16)) await calls.at(-1)
      }
      await Promise.all(calls)
    }
    await Promise.all(handles.map((db, who) => work(db, who)))
    const rows = await handles[0].values("select id, who || ' ' || n from t")
    t.equal(rows.length, told.size)
    t.ok(rows.every(([id, what]) => told.get(id) === what), 'every rowid that was told holds its row')
  })
}
