'use strict'

// What all namespaces of a handle share: the way to the core, the first level
// and its lease, and the loads under way.

const { ops } = require('../wire/ops')
const { want } = require('../client/call')
const { NO_SHAPE } = require('../wire/shape')
const { badFrame } = require('../wire/cell')
const { UndercroftError } = require('../base/errors')
const { First } = require('./first')
const { Hold } = require('./hold')
const { Direct, STANDS } = require('./direct')
const { Wraps } = require('./wrap')
const { EMPTY } = require('./options')
const { now, span, FOREVER } = require('./clock')
const { decode, shareable } = require('../wire/value/decode')
const { Failure } = require('../wire/value/kinds')

// Of a value, where only the daemon knows how much it takes.
const MAX_BYTES = 60 * 1024 * 1024

class CacheLink {
  #hold = null
  #direct = null
  #wraps
  // Changes of a key that are on their way: key -> how many. What is read
  // meanwhile may be older.
  #changing = new Map()
  // All of them, which reads must not overtake.
  #changes = 0
  #ended = false

  /**
   * @param {Client} client
   * @param {object} options firstLevel: { bytes, entries } or null; maxBytes of a
   *   value, or null when the daemon decides
   */
  constructor (client, { firstLevel, maxBytes }) {
    this.client = client
    this.maxBytes = maxBytes ?? MAX_BYTES
    this.first = null
    if (typeof client.native.cacheGet === 'function') this.#direct = new Direct(client)
    if (firstLevel !== null) {
      this.first = new First(firstLevel)
      this.#hold = new Hold(client, this.first, this.#direct === null ? null : (seq) => this.#askNow(seq))
    }
    this.#wraps = new Wraps(this)
    if (this.#hold !== null && this.#direct !== null) client.wrote = () => this.#hold.doubt()
  }

  /** Null where the core is in another process. */
  get direct () {
    return this.#direct
  }

  get wraps () {
    return this.#wraps
  }

  // ---- reading ---------------------------------------------------------------

  /** The entry of the first level, or null. Costs no call. */
  find (key) {
    const { first } = this
    return first === null ? null : first.find(key)
  }

  /** What somebody who asked for it gets of an entry of the first level. */
  give (entry, copy) {
    if (entry.raw !== null) return this.valueOf(entry.raw, copy)
    return copy && typeof entry.value === 'object' ? structuredClone(entry.value) : entry.value
  }

  /**
   * The value of a key that is not in the first level; a promise.
   *
   * @param {string} key checked
   * @param {object} o options as readOptions made them
   */
  get (key, o) {
    if (this.#mayAnswer(o)) {
      // A loop of awaits that are answered at once lets no answer of the lease in.
      const entry = this.first !== null && this.first.trust <= now() ? this.findNow(key) : null
      if (entry !== null) return Promise.resolve(this.give(entry, o.copy === true))
      const found = this.getNow(key, o.copy === true)
      if (found !== STANDS) return Promise.resolve(found)
    }
    if (this.first === null) {
      return o === EMPTY ? this.client.cached(key) : this.#send(ops.CACHE_GET, o, 1, (w) => w.text(key, 0), (bin) => this.#valueOrNone(bin, true))
    }
    this.#hold.join()
    const { epoch } = this.client
    const at = now()
    return this.#send(ops.CACHE_READ, o, 1, (w) => w.text(key, 0), (found) => this.#taken(key, found, epoch, at, o.copy === true))
  }

  /** The same without waiting, STANDS where that is not possible. */
  getNow (key, copy) {
    const direct = this.#direct
    if (this.first === null) {
      const value = direct.get(key)
      return value instanceof Failure ? undefined : value
    }
    this.#hold.join()
    const { epoch } = this.client
    const at = now()
    const found = direct.run(ops.CACHE_READ, 1, (w) => w.text(key, 0))
    return found === STANDS ? STANDS : this.#taken(key, found, epoch, at, copy)
  }

  /** Changes have been called that may not have been made yet: who blocks has to come after them. */
  get isChanging () {
    return this.#changes > 0
  }

  /** Like find, where a lease that has run out can be had again at once. */
  findNow (key) {
    const { first } = this
    if (first === null) return null
    const entry = first.find(key)
    if (entry !== null || first.trust > now()) return entry
    this.#hold.join()
    this.#hold.renew()
    return first.find(key)
  }

  #askNow (seq) {
    const answer = this.#direct.run(ops.CACHE_HOLD, 1, (w) => w.number(seq))
    return answer === STANDS ? undefined : answer
  }

  /** The lease is asked for, for those who only look. */
  wake () {
    if (this.#hold !== null && !this.client.closed) this.#hold.join()
  }

  /** Nothing that we keep has been changed by anybody who was told so. */
  isTrusted () {
    return this.first !== null && now() < this.first.trust
  }

  // [bin, ms, hash, domains, seq] or null: keeps it where that is allowed.
  #taken (key, found, epoch, at, copy) {
    if (found === null) return undefined
    const kept = this.#keep(key, found, 0, epoch, at)
    if (kept !== undefined && kept.raw === null && !copy) return kept.value
    return this.#valueOrNone(found[0], copy)
  }

  #valueOrNone (bin, copy) {
    if (bin === null) return undefined
    return this.valueOf(bin, copy)
  }

  /** The value of bytes; undefined for a loader's error. */
  valueOf (bytes, copy) {
    const value = this.decode(bytes, copy)
    return value instanceof Failure ? undefined : value
  }

  decode (bytes, copy) {
    if (!Buffer.isBuffer(bytes)) throw badFrame('bytes expected')
    return decode(bytes, viewOf(bytes), 0, bytes.length, this.first !== null && !copy)
  }

  // The fields begin at found[i]. -> what is kept, or undefined
  #keep (key, found, i, epoch, at) {
    const { first } = this
    const ms = found[i + 1]
    const hash = found[i + 2]
    const domains = found[i + 3]
    if (first === null || ms === 0 || this.#changing.has(key) || !this.#hold.admits(epoch, found[i + 4])) return undefined
    const bytes = found[i]
    const value = this.decode(bytes, false)
    if (value instanceof Failure) return undefined
    const raw = shareable() ? null : bytes
    first.put(key, raw === null ? value : undefined, raw, bytes.length, ms === null ? FOREVER : at + span(ms), hash, domains)
    return { value, raw }
  }

  // ---- loads -----------------------------------------------------------------

  /** Asks who is to load the key; -> the answer of cache_load. */
  load (key, { lease, stale }, timeoutMs) {
    const l1 = this.first !== null
    if (l1) this.#hold.join()
    const { epoch } = this.client
    const at = now()
    const write = (w) => {
      w.text(key, 0)
      w.mapHeader(3)
      w.text('lease', 0)
      w.number(lease)
      w.text('stale', 0)
      w.flag(stale)
      w.text('l1', 0)
      w.flag(l1)
    }
    const arrived = (answer) => {
      if (!Array.isArray(answer)) throw badFrame('cache_load')
      answer.epoch = epoch
      answer.at = at
      return answer
    }
    if (this.#changes === 0 && this.#direct !== null) {
      const answer = this.#direct.run(ops.CACHE_LOAD, 2, write)
      if (answer !== STANDS) return Promise.resolve(arrived(answer))
    }
    return this.#send(ops.CACHE_LOAD, { timeoutMs }, 2, write, arrived, true)
  }

  /** Keeps what a load was answered with. */
  keep (key, answer) {
    return this.#keep(key, answer, 1, answer.epoch, answer.at)
  }

  /** Tells what a load has come to. */
  loaded (token, epoch, bytes, message, writeOpts) {
    return this.client.send({
      op: ops.CACHE_LOADED,
      want: want.TAKEN,
      scope: null,
      epoch,
      going: true,
      fields: 4,
      write: (w) => {
        w.number(token)
        if (bytes === null) w.nil()
        else w.bin(bytes, 0)
        writeOpts(w)
        w.any(message)
      },
      subject: () => subjectOf(same)
    })
  }

  // ---- everything else -------------------------------------------------------

  /** An op that changes nothing. */
  ask (op, o, fields, write, arrived) {
    if (this.#mayAnswer(o)) {
      const found = this.#direct.run(op, fields, write)
      if (found !== STANDS) return Promise.resolve(arrived(found))
    }
    return this.#send(op, o, fields, write, arrived)
  }

  /**
   * An op that changes entries: these keys, or with null it is not known which.
   * The promise settles when all who keep them have let go of them.
   */
  change (op, keys, o, fields, write, arrived) {
    if (o.signal !== undefined && o.signal.aborted) return Promise.reject(o.signal.reason)
    const promise = this.#send(op, o, fields, write, arrived)
    if (this.first === null && this.#direct === null) return promise
    this.#begin(keys)
    const end = () => this.#end(keys)
    promise.then(end, end)
    return promise
  }

  /** The same, blocking. */
  changeNow (op, keys, fields, write) {
    if (this.#hold !== null) this.#hold.doubt()
    if (this.first !== null && keys !== null) for (const key of keys) this.first.delete(key)
    return this.#direct.block(op, fields, write, this.isChanging)
  }

  /** The handle is closed, or is to be. */
  end (isAtOnce) {
    if (isAtOnce) {
      this.#wraps.end(new UndercroftError('UC_CLOSED', 'the handle was closed while the call was in flight', { outcome: 'unknown' }))
    }
    if (this.#ended) return
    this.#ended = true
    if (this.#hold !== null) this.#hold.end()
  }

  #mayAnswer (o) {
    return this.#direct !== null && this.#changes === 0 && !(o.signal !== undefined && o.signal.aborted)
  }

  #begin (keys) {
    this.#changes++
    if (keys === null || this.first === null) return
    for (const key of keys) {
      this.first.delete(key)
      this.#changing.set(key, (this.#changing.get(key) ?? 0) + 1)
    }
  }

  #end (keys) {
    this.#changes--
    if (keys === null || this.first === null) return
    for (const key of keys) {
      const left = this.#changing.get(key) - 1
      if (left === 0) this.#changing.delete(key)
      else this.#changing.set(key, left)
    }
  }

  #send (op, { timeoutMs, signal }, fields, write, arrived, going = false) {
    const opts = timeoutMs === undefined && signal === undefined ? undefined : { timeoutMs, signal }
    return this.client.send({ op, want: want.TAKEN, opts, scope: null, fields, write, going: going || undefined, subject: () => subjectOf(arrived) })
  }
}

function subjectOf (arrived) {
  return { sql: undefined, shape: NO_SHAPE, arrived }
}

function viewOf (bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

function same (value) {
  return value
}

module.exports = { CacheLink }
