'use strict'

// cache.wrap: one loader for many callers, old values, errors, deadlines, and what
// happens when the data changes while a loader runs.

const { delay, exact, failure, fastEnough, outcomes, until } = require('../../helper')

// A loader that ends when it is told to.
function gate () {
  const it = { runs: 0, contexts: [] }
  it.loader = (context) => {
    it.runs++
    it.contexts.push(context)
    return new Promise((resolve, reject) => Object.assign(it, { resolve, reject }))
  }
  it.running = (n = 1) => until(() => it.runs >= n, `loader ${n} runs`)
  return it
}

module.exports = (t, open) => {
  for (const firstLevel of [undefined, false]) {
    const how = firstLevel === false ? 'without a first level' : 'with a first level'
    const ready = (t) => open(t, { cache: { firstLevel } }).cache

    t.test(`${how}: loads once and keeps it`, async (t) => {
      const cache = ready(t)
      let runs = 0
      const load = () => cache.wrap('k', ({ key }) => ({ key, n: ++runs }), { ttlMs: 60000 })
      exact(t, await load(), { key: 'k', n: 1 }, 'what the loader returned')
      exact(t, await load(), { key: 'k', n: 1 }, 'again')
      exact(t, await cache.get('k'), { key: 'k', n: 1 }, 'get')
      t.ok(await cache.ttl('k') <= 60000)
      await cache.delete('k')
      exact(t, await load(), { key: 'k', n: 2 }, 'anew')
      await cache.set('k', 'set')
      t.equal(await load(), 'set')
      for (const v of [undefined, null, 0, '', false]) {
        const key = `value ${v}`
        let count = 0
        for (let i = 0; i < 3; i++) {
          t.equal(await cache.wrap(key, async () => {
            count++
            return v
          }), v, key)
        }
        t.equal(count, 1, `${key} is a value, too`)
      }
    })

    t.test(`${how}: a thousand callers, one run`, async (t) => {
      const cache = ready(t)
      const it = gate()
      const calls = []
      for (let i = 0; i < 500; i++) calls.push(cache.wrap('k', it.loader))
      await it.running()
      for (let i = 0; i < 500; i++) calls.push(cache.wrap('k', it.loader))
      await delay(5)
      calls.push(cache.namespace('n').wrap('k', () => 'another key'))
      it.resolve({ deep: [1] })
      const all = await Promise.all(calls)
      t.equal(all.pop(), 'another key')
      t.ok(all.every((v) => v.deep[0] === 1))
      t.equal(it.runs, 1)
      if (firstLevel === false) {
        all[0].deep.push(2)
        t.equal(all[1].deep.length, 1, 'each has his own')
      } else {
        t.throws(() => all[0].deep.push(2), TypeError, 'all share one')
      }
      const copies = await Promise.all([0, 1].map(() => cache.wrap('k', it.loader, { copy: true })))
      copies[0].deep.push(2)
      t.equal(copies[1].deep.length, 1, 'a copy is the caller’s own')
    })

    t.test(`${how}: what the loader does to its object later is not seen`, async (t) => {
      const cache = ready(t)
      const mine = { list: [1] }
      await cache.wrap('k', () => mine)
      mine.list.push(2)
      exact(t, await cache.get('k'), { list: [1] }, 'as it was')
      t.notOk(Object.isFrozen(mine), 'and it is not frozen')
    })

    t.test(`${how}: two handles share a load`, async (t) => {
      const file = open.file(t)
      const one = open.at(t, file, { cache: { firstLevel } }).cache
      const two = open.at(t, file, { cache: { firstLevel } }).cache
      const it = gate()
      const first = one.wrap('k', it.loader)
      await it.running()
      const others = [two.wrap('k', it.loader), two.wrap('k', it.loader)]
      await until(async () => (await one.stats()).loads.waiting === 1, 'the other handle waits')
      it.resolve([1])
      exact(t, await Promise.all([first, ...others]), [[1], [1], [1]], 'all have it')
      t.equal(it.runs, 1)
    })

    t.test(`${how}: a loader that fails`, async (t) => {
      const file = open.file(t)
      const one = open.at(t, file, { cache: { firstLevel } }).cache
      const two = open.at(t, file, { cache: { firstLevel } }).cache
      const it = gate()
      const own = [one.wrap('k', it.loader), one.wrap('k', it.loader)].map(failure)
      await it.running()
      const other = failure(two.wrap('k', it.loader))
      await until(async () => (await one.stats()).loads.waiting === 1, 'the other handle waits')
      const mine = new Error('it broke')
      it.reject(mine)
      exact(t, (await Promise.all(own)).map((err) => err === mine), [true, true], 'the error itself where it was thrown')
      const err = await other
      exact(t, [err.code, err.kind], ['UC_CACHE_LOAD', 'load'], 'elsewhere one that tells of it')
      t.match(err.message, /it broke/)
      t.equal(it.runs, 1, 'once for all')
      t.equal(await two.wrap('k', () => 'well'), 'well', 'the next call loads anew')
      for (const thrown of [undefined, 'text', Object.create(null), Symbol('s')]) {
        t.equal(await failure(one.wrap('odd', () => { throw thrown })), thrown)
      }
      t.equal(await failure(one.wrap('sync', () => { throw mine })), mine)
    })

    t.test(`${how}: an error that is kept`, async (t) => {
      const cache = ready(t)
      let runs, key
      const load = () => cache.wrap(key, async () => {
        runs++
        throw new Error('gone')
      }, { errorTtlMs: 200 })
      const [thrown, kept] = await fastEnough(200, async (i) => {
        runs = 0
        key = `k${i}`
        return [await failure(load()), await failure(load())]
      })
      t.equal(thrown.message, 'gone')
      exact(t, [kept.code, kept.message, runs], ['UC_CACHE_LOAD', 'gone', 1], 'the loader did not run again')
      t.equal(await cache.get(key), undefined, 'it is no value')
      exact(t, await cache.getMany([key]), [undefined], 'nor one of many')
      await until(async () => (await failure(load())).code === undefined, 'its time ends')
      t.equal(runs, 2)
    })

    t.test(`${how}: old values while somebody loads`, async (t) => {
      const cache = ready(t)
      const opts = { ttlMs: 40, staleMs: 60000 }
      t.equal(await cache.wrap('k', () => 'old', opts), 'old')
      await until(async () => await cache.get('k') === undefined, 'its time is over')
      const it = gate()
      t.equal(await cache.wrap('k', it.loader, { ttlMs: 60000, staleMs: 60000 }), 'old', 'who takes an old one does not wait')
      await it.running()
      t.equal(it.contexts[0].stale, 'old', 'the loader may see it')
      t.equal(await cache.wrap('k', it.loader, opts), 'old', 'nor does the next')
      const fresh = cache.wrap('k', it.loader, { ttlMs: 60000 })
      await delay(10)
      it.resolve('new')
      t.equal(await fresh, 'new', 'who takes none waits')
      t.equal(it.runs, 1)
      t.equal(await cache.get('k'), 'new')
    })

    t.test(`${how}: old values when the loader fails`, async (t) => {
      const cache = ready(t)
      const opts = { ttlMs: 40, staleIfErrorMs: 60000 }
      exact(t, await cache.wrap('k', () => ({ v: 'old' }), opts), { v: 'old' }, 'loaded')
      await until(async () => await cache.get('k') === undefined, 'its time is over')
      exact(t, await cache.wrap('k', () => { throw new Error('no') }, opts), { v: 'old' }, 'the old one in place of the error')
      t.equal(await cache.get('k'), undefined, 'it is old all the same')
      t.equal(await cache.wrap('k', () => 'new', opts), 'new', 'a loader that can is asked')
      const never = await failure(cache.wrap('other', () => { throw new Error('no') }, opts))
      t.equal(never.message, 'no', 'without one there is the error')
    })

    t.test(`${how}: a value that is not kept`, async (t) => {
      const cache = ready(t)
      let runs = 0
      const stream = { [Symbol('s')]: () => {}, pipe () {} }
      const load = () => cache.wrap('k', ({ skip }) => {
        runs++
        return skip(stream)
      })
      t.equal(await load(), stream, 'it comes as it is')
      t.equal(await load(), stream)
      t.equal(runs, 2)
      t.equal(await cache.has('k'), false)
      t.equal(await cache.wrap('k', async ({ skip }) => skip(5)), 5)
      t.equal(await cache.wrap('k', () => 6), 6)
    })

    t.test(`${how}: a lifetime that the loader sets`, async (t) => {
      const cache = ready(t)
      await cache.wrap('k', ({ setTtl }) => {
        setTtl(60000)
        return 1
      }, { ttlMs: 5 })
      t.ok(await cache.ttl('k') > 10000)
      const err = await failure(cache.wrap('j', ({ setTtl }) => {
        setTtl(-1)
        return 1
      }))
      t.equal(err.code, 'UC_OPTION')
    })

    t.test(`${how}: a loader that overruns its time`, async (t) => {
      const file = open.file(t)
      const one = open.at(t, file, { cache: { firstLevel } }).cache
      const two = open.at(t, file, { cache: { firstLevel } }).cache
      await one.stats()
      let it, key, late
      // On a busy machine its time may be over before it has begun: then once more.
      for (let i = 0; ; i++) {
        let isOver = false
        it = gate()
        key = `k${i}`
        late = failure(one.wrap(key, it.loader, { timeoutMs: 500 })).finally(() => { isOver = true })
        await until(() => it.runs > 0 || isOver, 'the loader runs')
        if (it.runs > 0 || i === 20) break
        t.equal((await late).code, 'UC_TIMEOUT')
      }
      const next = two.wrap(key, () => 'the next one', { timeoutMs: 20000 })
      const err = await late
      exact(t, [err.code, it.contexts[0].signal.aborted, it.contexts[0].signal.reason === err], ['UC_TIMEOUT', true, true], 'is told to stop')
      t.equal(await next, 'the next one', 'who waits loads itself')
      it.resolve('too late')
      await delay(20)
      t.equal(await one.get(key), 'the next one', 'what comes late is not stored')
    })

    t.test(`${how}: callers that give up`, async (t) => {
      const cache = ready(t)
      const it = gate()
      const [one, two] = [new AbortController(), new AbortController()]
      const waiting = [one, two].map(({ signal }) => failure(cache.wrap('k', it.loader, { signal })))
      await it.running()
      const reason = new Error('mine')
      one.abort(reason)
      t.equal(await waiting[0], reason)
      t.equal(it.contexts[0].signal.aborted, false, 'somebody waits still')
      two.abort(reason)
      t.equal(await waiting[1], reason)
      t.equal(it.contexts[0].signal.aborted, true, 'nobody does')
      t.equal(await cache.wrap('k', () => 'anew'), 'anew')
    })

    t.test(`${how}: a loader that would wait for itself`, async (t) => {
      const cache = ready(t)
      const self = (key) => cache.wrap(key, async () => {
        await delay(1)
        return Promise.all([1].map(() => inner(key)))
      })
      const inner = async (key) => {
        await null
        return cache.wrap(key, () => 'never')
      }
      const refused = async (promise, what) => {
        const err = await failure(promise)
        exact(t, [err.code, err.kind, err.outcome], ['UC_CACHE_SELF', 'usage', 'not-sent'], what)
        t.match(err.message, /inside of its own loader/)
      }
      await refused(self('a'), 'its own key')
      await refused(cache.namespace('ns').wrap('a', () => cache.namespace('ns').wrap('a', () => 1)), 'in a namespace')
      t.equal(await cache.wrap('a', () => cache.namespace('ns').wrap('a', () => 2)), 2, 'that one is another key')
      await cache.clear()
      // Each begins, then asks for the other's.
      const begun = [gate(), gate()]
      const [one, two] = ['a', 'b'].map((key, i) => cache.wrap(key, async (context) => {
        await begun[i].loader(context)
        return cache.wrap('ba'[i], () => 'never')
      }))
      for (const it of begun) await it.running()
      for (const it of begun) it.resolve()
      const ends = await outcomes([one, two])
      // What the others are told of it is the loader's failure.
      exact(t, ends, ['UC_CACHE_SELF', 'UC_CACHE_SELF'], 'each asks for the other')
      // What does not wait for itself is not refused.
      t.equal(await cache.wrap('c', () => cache.wrap('d', () => cache.wrap('e', () => 5))), 5, 'keys in a row')
      let later
      await cache.wrap('f', () => {
        later = (async () => {
          await delay(20)
          return cache.wrap('f', () => 'anew')
        })()
        return 'first'
      })
      t.equal(await later, 'first', 'when its loader is over')
      const both = await cache.wrap('g', () => Promise.all([1, 2].map(() => cache.wrap('h', () => 8))))
      exact(t, both, [8, 8], 'twice the same other key')
    })

    t.test(`${how}: a value that cannot be kept`, async (t) => {
      const { cache } = open(t, { cache: { firstLevel, bytes: 1048576, maxValueBytes: 2000 } })
      for (const [v, kind] of [[() => {}, 'usage'], ['x'.repeat(3000), 'too-big']]) {
        const err = await failure(cache.wrap('k', () => v))
        exact(t, [err.code, err.kind], ['UC_CACHE_VALUE', kind], kind)
        t.equal(await cache.wrap('k', () => 'well'), 'well', 'the next call loads')
        await cache.delete('k')
      }
    })

    t.test(`${how}: a loader that sleeps across a commit`, async (t) => {
      const store = open(t, { cache: { firstLevel } })
      const { db, cache } = store
      await db.exec('create table "user"(id integer primary key, name text); insert into "user" values (1, \'old\'); create table other(v int)')
      await open.ready(store)
      const it = gate()
      const read = async (context) => {
        const row = await db.get('select name from "user" where id = 1')
        await it.loader(context)
        return row.name
      }
      const load = () => cache.wrap('user:1', read, { tables: ['USER'] })
      const before = load()
      await it.running()
      await db.run('update "user" set name = \'new\'')
      const after = load()
      it.resolve()
      t.equal(await before, 'old', 'who asked before the commit may have the value of that time')
      await it.running(2)
      it.resolve()
      t.equal(await after, 'new', 'who asked after it may not')
      t.equal(await cache.get('user:1'), 'new', 'and it was not kept')
      await db.run('insert into other values (1)')
      t.equal(await cache.get('user:1'), 'new', 'another table does not matter')
    })

    t.test(`${how}: a loader that sleeps across a delete, a set, a drop and a clear`, async (t) => {
      const cache = ready(t)
      for (const [what, change] of [['delete', () => cache.delete('k')], ['drop', () => cache.dropTag('tag')], ['clear', () => cache.clear()]]) {
        const it = gate()
        const before = cache.wrap('k', it.loader, { tags: 'tag' })
        await it.running()
        await change()
        it.resolve('old')
        t.equal(await before, 'old', what)
        t.equal(await cache.has('k'), false, 'is not kept')
      }
      const it = gate()
      const before = cache.wrap('k', it.loader)
      await it.running()
      await cache.set('k', 'set')
      it.resolve('loaded')
      await before
      t.equal(await cache.get('k'), 'set', 'what was set stays')
    })

    t.test(`${how}: wrong arguments`, async (t) => {
      const cache = ready(t)
      for (const loader of [undefined, null, 5, {}]) t.equal((await failure(cache.wrap('k', loader))).code, 'UC_OPTION')
      for (const opts of [5, { ttl: 5 }, { ttlMs: -1 }, { timeoutMs: 0 }, { errorTtlMs: -1 }, { tags: 5 }, { tables: {} }, { signal: {} }, { copy: 1 }, { staleMs: 'x' }]) {
        let ran = false
        t.equal((await failure(cache.wrap('k', () => { ran = true }, opts))).code, 'UC_OPTION', JSON.stringify(opts))
        t.notOk(ran)
      }
    })
  }

  t.test('close waits for a loader, destroy does not', async (t) => {
    const closing = open(t)
    const it = gate()
    const value = closing.cache.wrap('k', it.loader)
    await it.running()
    const closed = closing.close()
    t.equal((await failure(closing.cache.wrap('k', it.loader))).code, 'UC_CLOSED', 'nothing new begins')
    it.resolve('in time')
    t.equal(await value, 'in time')
    await closed
    const dying = open(t)
    const other = gate()
    const lost = outcomes([dying.cache.wrap('k', other.loader), dying.cache.wrap('k', other.loader)])
    await other.running()
    dying.destroy()
    exact(t, await lost, ['UC_CLOSED', 'UC_CLOSED'], 'nobody waits for it')
    t.equal(other.contexts[0].signal.aborted, true)
  })

  t.test('many keys, many handles, random changes: no load is seen that is older than a change', async (t) => {
    const file = open.file(t)
    const stores = [open.at(t, file), open.at(t, file), open.at(t, file, { cache: { firstLevel: false } })]
    const { db } = stores[0]
    await db.exec('create table v(k integer primary key, n int)')
    await db.many('insert into v values (?, 0)', Array.from({ length: 8 }, (_, k) => [k]))
    const acknowledged = Array(8).fill(0)
    let wrong = 0
    let reads = 0
    const over = performance.now() + 1500
    const writer = (async () => {
      for (let n = 1; performance.now() < over; n++) {
        const k = n % 8
        await stores[n % 3].db.run('update v set n = ? where k = ?', [n, k])
        acknowledged[k] = n
        if (n % 5 === 0) await delay(1)
      }
    })()
    const reader = async ({ cache, db }, seed) => {
      for (let i = seed; performance.now() < over; i += 3) {
        const k = i % 8
        const least = acknowledged[k]
        const { n } = await cache.wrap(`v:${k}`, () => db.get('select n from v where k = ?', [k]), { tables: 'v' })
        if (n < least) wrong++
        reads++
        if (i % 50 === 0) await delay(0)
      }
    }
    await Promise.all([writer, ...stores.flatMap((store, s) => [0, 1, 2, 3].map((i) => reader(store, s * 4 + i)))])
    t.equal(wrong, 0, `of ${reads} reads`)
  })
}
