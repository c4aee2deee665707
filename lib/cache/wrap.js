'use strict'

// wrap: what is absent is loaded once. Within this process the calls for one key
// share a flight; among the processes of a daemon, or the threads of one, the
// core gives the first who asks a lease on loading, and the others wait for what
// it brings.
//
//   ask ──> 0 it is there          every caller gets it
//       ├─> 2 an old one is        the same; somebody loads
//       └─> 1 load it: loader() ──> tell the core, then the callers
//
// A loader that asks for a key whose loader waits for it in turn, its own first of
// all, would wait until its time is over, and is refused at once.
//
// A caller that came after the question was sent may know of a change that came
// after the answer. It gets the answer only where the lease of the first level
// rules that out, or the core has stored what was loaded after it came;
// otherwise it asks again.

const { builtin } = require('../base/builtin')
const { ops } = require('../wire/ops')
const { UndercroftError } = require('../base/errors')
const { whenAborted, forget } = require('../base/abort')
const { LOAD, readOptions, whole, domainsOf, writeEntry, MAX_MS } = require('./options')
const { encode, encodeFailure } = require('../wire/value/encode')
const { shareable } = require('../wire/value/decode')
const { Failure } = require('../wire/value/kinds')
const { scopes, isInTransaction, runInside } = require('../client/inside')

// How long a loader may take.
const LOAD_MS = 30000
// The one whose turn comes when a lease runs out is still there then.
const GRACE_MS = 1000
// A question whose answer was lost with the connection is asked again.
const MAX_TRIES = 3
// One that a daemon on its way out has refused is for its successor.
const AGAIN_MS = 100
const MESSAGE_LENGTH = 400

const HIT = 0
const LOAD_IT = 1

// The flight whose loader the running code is part of, through everything that it
// awaits. Made with the first loader.
let loaders = null

function runLoader (flight, loader, context) {
  if (loaders === null) {
    const { AsyncLocalStorage } = builtin('node:async_hooks')
    loaders = new AsyncLocalStorage()
  }
  return loaders.run(flight, loader, context)
}

// A value of the cache, as bytes, or what a loader has returned with skip().
class Loaded {
  constructor (bytes, skipped) {
    this.bytes = bytes
    this.skipped = skipped
    // The first level has it.
    this.isKept = false
    // What all may share, once it is made.
    this.shared = undefined
    this.isShared = false
  }
}

// What was skipped is for those who wait, here as it is and elsewhere as a copy,
// if there can be one.
function passing (value, maxBytes) {
  let bytes = null
  try {
    bytes = encode(value, maxBytes)
  } catch {
    // Then the next of them loads.
  }
  const loaded = new Loaded(bytes, true)
  loaded.shared = value
  loaded.isShared = true
  return loaded
}

class Wraps {
  #link
  #flights = new Map()

  constructor (link) {
    this.#link = link
  }

  /**
   * The value of a key, loaded when it is absent.
   *
   * @param {string} key whole and checked
   * @param {Function} loader ({ key, signal, stale, skip, setTtl }) -> value
   * @param {object} [opts]
   */
  wrap (key, loader, opts) {
    try {
      const o = readOptions(opts, LOAD)
      const refusal = this.#link.client.refusal(ops.CACHE_LOAD, undefined, null)
      if (refusal !== null) throw refusal
      if (typeof loader !== 'function') {
        throw new UndercroftError('UC_OPTION', 'wrap: the second argument is a function that loads the value', { outcome: 'not-sent' })
      }
      if (o.signal !== undefined && o.signal.aborted) return Promise.reject(o.signal.reason)
      // Wrong domains are told before anything is loaded.
      return this.#join(key, new Caller(loader, o, domainsOf(key, o)))
    } catch (err) {
      return Promise.reject(err)
    }
  }

  get size () {
    return this.#flights.size
  }

  /** The handle is closed: nobody waits for loaders any longer. */
  end (err) {
    for (const flight of this.#flights.values()) flight.abandon(err)
  }

  #join (key, caller) {
    let flight = this.#flights.get(key)
    if (flight?.waitsFor(caller)) {
      caller.reject(new UndercroftError('UC_CACHE_SELF',
        `wrap: ${JSON.stringify(key)} was asked for inside of its own loader, or of one that its loader waits for`,
        { outcome: 'not-sent' }))
      return caller.promise
    }
    if (flight === undefined) {
      flight = new LoadFlight(this, this.#link, key, caller)
      this.#flights.set(key, flight)
      const { promise } = caller
      flight.start()
      return promise
    }
    flight.join(caller)
    return caller.promise
  }

  /** New callers do not find this flight any more. */
  closeTo (flight) {
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key)
  }

  /** Asks again for those whom an answer came too early for. */
  again (key, callers) {
    for (const caller of callers) {
      caller.isLate = false
      runInside(caller.scopes, () => this.#join(key, caller))
    }
  }
}

// One call of wrap.
class Caller {
  constructor (loader, o, domains) {
    this.loader = loader
    this.o = o
    this.domains = domains
    this.isLate = false
    this.onAbort = null
    this.scopes = scopes()
    // The flight whose loader has called, or undefined.
    this.asker = loaders === null ? undefined : loaders.getStore()
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }
}

class LoadFlight {
  #wraps
  #link
  #callers = new Set()
  #lead
  #control = null
  #asked = false
  // An old value that whoever takes one need not wait with.
  #old = null

  constructor (wraps, link, key, lead) {
    this.#wraps = wraps
    this.#link = link
    this.key = key
    this.#lead = lead
    this.#add(lead)
  }

  join (caller) {
    caller.isLate = this.#asked
    this.#add(caller)
    if (this.#old !== null && takesOld(caller)) this.#give(caller, this.#old)
  }

  /** Whether this flight's loader can go on only when the caller does. */
  waitsFor ({ asker, o }) {
    if (asker === undefined || (this.#old !== null && o.staleMs > 0)) return false
    // The loaders that wait for the asker's, directly or by others.
    const waiting = new Set([asker])
    for (const flight of waiting) {
      if (flight === this) return true
      for (const caller of flight.#callers) if (caller.asker !== undefined) waiting.add(caller.asker)
    }
    return false
  }

  start () {
    const { client } = this.#link
    client.enter()
    client.keepAlive()
    this.#run().catch((err) => this.#failed(err)).finally(() => {
      this.#wraps.closeTo(this)
      client.letGo()
      client.leave()
    })
  }

  /** Nobody is to wait any longer. */
  abandon (err) {
    this.#failed(err)
    if (this.#control !== null) this.#control.abort(err)
  }

  async #run () {
    const answer = await this.#ask()
    if (answer[0] !== LOAD_IT) {
      this.#wraps.closeTo(this)
      const found = this.#found(answer)
      // What the first level took under a lease that still holds is older than no
      // change that anybody has been told of; news of one, of our own writes too,
      // would have come before, and it would not have taken it.
      this.#giveAll(found, answer[0] !== HIT || (found.isKept && this.#link.isTrusted()))
      return
    }
    const [, token, , bin, mayServe] = answer
    await this.#load(token, bin === null ? null : new Loaded(bin, false), mayServe === true)
  }

  async #ask () {
    const { o } = this.#lead
    const ms = o.timeoutMs ?? LOAD_MS
    const until = performance.now() + ms
    for (let lost = 0; ;) {
      try {
        const asking = this.#link.load(this.key, { lease: ms, stale: takesOld(this.#lead) }, ms + GRACE_MS)
        this.#asked = true
        return await asking
      } catch (err) {
        if (this.#isOver(err)) {
          if (performance.now() > until) throw err
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
        } else if (err?.code !== 'UC_CONNECTION_LOST' || ++lost === MAX_TRIES) {
          throw err
        }
      }
    }
  }

  // It is the daemon that ends, and not this handle.
  #isOver (err) {
    return err?.code === 'UC_CLOSED' && !this.#link.client.closed
  }

  #found (answer) {
    const found = new Loaded(answer[1], false)
    if (answer[0] === HIT) {
      const kept = this.#link.keep(this.key, answer)
      if (kept !== undefined) {
        found.isKept = true
        found.shared = kept.value
        found.isShared = kept.raw === null
      }
    }
    return found
  }

  // ---- loading ---------------------------------------------------------------

  async #load (token, old, mayServe) {
    const { client } = this.#link
    const { epoch } = client
    const { o, domains } = this.#lead
    const entry = { ...o }
    if (old !== null && mayServe) {
      this.#old = old
      for (const caller of this.#callers) if (takesOld(caller)) this.#give(caller, old)
    }
    // It may read what is not committed, and then it is not stored.
    const isUnsure = isInTransaction(client, this.#lead.scopes)
    let loaded
    try {
      loaded = await this.#runLoader(entry, old)
    } catch (err) {
      await this.#tellFailure(token, epoch, err)
      const isTimely = old !== null && o.staleIfErrorMs > 0
      this.#wraps.closeTo(this)
      if (isTimely && !(err instanceof Stopped)) this.#giveAll(old, true)
      else this.#failed(err instanceof Stopped ? err.reason : err)
      return
    }
    // What comes from here on asks for itself: it may know of later changes.
    this.#wraps.closeTo(this)
    let isStored = false
    try {
      [isStored] = await this.#link.loaded(token, epoch, loaded.bytes, null, (w) => writeEntry(w, entry, domains, loaded.skipped))
    } catch (err) {
      // The value is as good as without a cache; only what is wrong with it matters.
      if (err?.kind !== 'connection' && !this.#isOver(err)) {
        await this.#tellFailure(token, epoch, err)
        throw err
      }
    }
    this.#giveAll(loaded, isStored || loaded.skipped, !isStored && isUnsure)
  }

  async #runLoader (entry, old) {
    const control = this.#control = new AbortController()
    const ms = this.#lead.o.timeoutMs ?? LOAD_MS
    let skipped = false
    let stop
    const stopped = new Promise((resolve, reject) => { stop = reject })
    const onAbort = () => stop(new Stopped(control.signal.reason))
    control.signal.addEventListener('abort', onAbort, { once: true })
    const timer = setTimeout(() => {
      control.abort(new UndercroftError('UC_TIMEOUT', `the loader of ${JSON.stringify(this.key)} did not end within ${ms} ms`))
    }, ms)
    const link = this.#link
    const work = async () => runLoader(this, this.#lead.loader, {
      key: this.key,
      signal: control.signal,
      get stale () { return old === null ? undefined : link.valueOf(old.bytes, true) },
      skip (value) {
        skipped = true
        return value
      },
      setTtl (ttlMs) { entry.ttlMs = whole('setTtl', ttlMs, 1, MAX_MS) }
    })
    try {
      if (this.#callers.size === 0 && this.#old === null) throw new Stopped(undefined)
      const value = await Promise.race([work(), stopped])
      return skipped ? passing(value, link.maxBytes) : new Loaded(encode(value, link.maxBytes), false)
    } finally {
      clearTimeout(timer)
      control.signal.removeEventListener('abort', onAbort)
      this.#control = null
    }
  }

  // The others hear of it, unless the load was stopped: then it is the next one's turn.
  async #tellFailure (token, epoch, err) {
    const { o, domains } = this.#lead
    const message = err instanceof Stopped ? null : messageOf(err)
    try {
      if (message !== null && o.errorTtlMs > 0) {
        await this.#link.loaded(token, epoch, encodeFailure(message), null,
          (w) => writeEntry(w, { ttlMs: o.errorTtlMs }, domains))
      } else {
        await this.#link.loaded(token, epoch, null, message, (w) => w.nil())
      }
    } catch {
      // The lease goes on by itself.
    }
  }

  // ---- callers ---------------------------------------------------------------

  #add (caller) {
    this.#callers.add(caller)
    const { signal } = caller.o
    if (signal === undefined) return
    caller.onAbort = () => {
      this.#drop(caller)
      caller.reject(signal.reason)
      if (this.#callers.size > 0 || this.#old !== null) return
      // Nobody wants it: who comes now begins anew.
      this.#wraps.closeTo(this)
      if (this.#control !== null) this.#control.abort(signal.reason)
    }
    whenAborted(signal, caller.onAbort)
  }

  #drop (caller) {
    this.#callers.delete(caller)
    if (caller.onAbort === null) return
    forget(caller.o.signal, caller.onAbort)
    caller.onAbort = null
  }

  #give (caller, loaded) {
    this.#drop(caller)
    try {
      caller.resolve(this.#valueFor(caller, loaded))
    } catch (err) {
      caller.reject(err)
    }
  }

  #valueFor (caller, loaded) {
    if (loaded.skipped) return loaded.shared
    const copy = caller.o.copy === true
    if (loaded.isShared && !copy) return loaded.shared
    const link = this.#link
    const value = link.decode(loaded.bytes, copy)
    if (value instanceof Failure) throw new UndercroftError('UC_CACHE_LOAD', value.message)
    if (!copy && link.first !== null && shareable()) {
      loaded.shared = value
      loaded.isShared = true
    }
    return value
  }

  // isGoodForLate: also for those who came when it may have been on its way;
  // isMine: for nobody but the one who has loaded it.
  #giveAll (loaded, isGoodForLate, isMine = false) {
    const again = []
    for (const caller of [...this.#callers]) {
      if (isMine ? caller === this.#lead : !caller.isLate || isGoodForLate) {
        this.#give(caller, loaded)
      } else {
        this.#drop(caller)
        again.push(caller)
      }
    }
    if (again.length > 0) this.#wraps.again(this.key, again)
  }

  #failed (err) {
    this.#wraps.closeTo(this)
    for (const caller of [...this.#callers]) {
      this.#drop(caller)
      caller.reject(err)
    }
  }
}

// The loader was stopped: by its deadline, or because nobody waits.
class Stopped {
  constructor (reason) {
    this.reason = reason
  }
}

function takesOld ({ o }) {
  return o.staleMs > 0
}

function messageOf (err) {
  let text = 'the loader failed'
  try {
    const found = err instanceof Error ? err.message : String(err)
    if (found !== '') text = found
  } catch {
    // Nothing can be said of it.
  }
  return text.slice(0, MESSAGE_LENGTH).toWellFormed()
}

module.exports = { Wraps }
