'use strict'

// store.cache: values under keys, shared by all who use the database, with a
// first level in this process. A namespace is the same with a prefix.
//
//   get ──> first level (cache/first.js), under a lease (cache/hold.js)
//      └──> the core, in this process (cache/direct.js) or through a call
//   wrap ─> the same, and who is to load what is absent (cache/wrap.js)

const { ops } = require('../wire/ops')
const { UndercroftError, expected } = require('../base/errors')
const { READ, WRITE, CALL, EMPTY, SEPARATOR, checkKey, checkName, namesOf, namespacesOf, readOptions, whole, domainsOf, writeEntry, MAX_MS } = require('./options')
const { CacheSync } = require('./sync')
const { writePairs, writeKeys, checkPairs, checkBytes, bytesOf, checkBy, count } = require('./verbs')
const { writeBin } = require('../wire/value/encode')

class Cache {
  #link
  #prefix
  #sync = null

  /**
   * @param {CacheLink} link
   * @param {string} [prefix] of all keys
   */
  constructor (link, prefix = '') {
    this.#link = link
    this.#prefix = prefix
  }

  /** The value of a key, or undefined. */
  get (key, opts) {
    try {
      const name = this.#key(key)
      const o = opts === undefined ? EMPTY : readOptions(opts, READ)
      if (o.signal !== undefined && o.signal.aborted) return Promise.reject(o.signal.reason)
      const entry = this.#link.find(name)
      if (entry !== null) return Promise.resolve(this.#link.give(entry, o.copy === true))
      return this.#link.get(checkKey(name), o)
    } catch (err) {
      return Promise.reject(err)
    }
  }

  /** What the first level has of it, or undefined: at once, and never a call. */
  peek (key) {
    const entry = this.#link.find(this.#key(key))
    if (entry !== null) return entry.raw === null ? entry.value : this.#link.give(entry, false)
    checkKey(key)
    this.#link.wake()
    return undefined
  }

  /** The values of several keys, undefined in the place of those that are not there. */
  getMany (keys, opts) {
    try {
      const o = readOptions(opts, READ)
      const names = this.#keys(keys)
      const out = new Array(names.length)
      const missing = []
      for (let i = 0; i < names.length; i++) {
        const entry = this.#link.find(names[i])
        if (entry !== null) out[i] = this.#link.give(entry, o.copy === true)
        else missing.push(i)
      }
      if (missing.length === 0) return Promise.resolve(out)
      return this.#link.ask(ops.CACHE_GET_MANY, o, 1, (w) => writeKeys(w, missing.map((i) => names[i])), (bins) => {
        missing.forEach((i, n) => { out[i] = bins[n] === null ? undefined : this.#link.valueOf(bins[n], o.copy === true) })
        return out
      })
    } catch (err) {
      return Promise.reject(err)
    }
  }

  /** -> whether it was stored: not when something that it belongs to was dropped meanwhile. */
  set (key, value, opts) {
    return this.#change(key, opts, WRITE, ops.CACHE_SET, 3, (w, name, o, domains) => {
      w.text(name, 0)
      writeBin(w, value, this.#link.maxBytes)
      writeEntry(w, o, domains)
    }, isStored)
  }

  /** Pairs of key and value: a Map, or anything that iterates over them. -> how many were stored */
  setMany (entries, opts) {
    try {
      const o = readOptions(opts, WRITE)
      const pairs = checkPairs(entries).map(([key, value]) => [checkKey(this.#key(key)), value])
      if (pairs.length === 0) return Promise.resolve(0)
      const domains = this.#domainsOfAll(pairs, o)
      return this.#link.change(ops.CACHE_SET_MANY, pairs.map(([name]) => name), o, 2, (w) => {
        writePairs(w, pairs, this.#link.maxBytes)
        writeEntry(w, o, domains)
      }, count)
    } catch (err) {
      return Promise.reject(err)
    }
  }

  /** Whether there is a value. */
  async has (key, opts) {
    return await this.ttl(key, opts) !== undefined
  }

  /** -> whether it was there */
  delete (key, opts) {
    return this.#change(key, opts, CALL, ops.CACHE_DELETE, 1, (w, name) => w.text(name, 0), same)
  }

  /** A new lifetime from now on. -> whether the key was there */
  touch (key, ttlMs, opts) {
    return this.#change(key, opts, CALL, ops.CACHE_TOUCH, 2, (w, name) => {
      w.text(name, 0)
      w.number(whole('ttlMs', ttlMs, 1, MAX_MS))
    }, same)
  }

  /** Milliseconds that are left: Infinity when it has no end, undefined when it is not there. */
  ttl (key, opts) {
    try {
      const name = checkKey(this.#key(key))
      return this.#link.ask(ops.CACHE_TTL, readOptions(opts, CALL), 1, (w) => w.text(name, 0), msOf)
    } catch (err) {
      return Promise.reject(err)
    }
  }

  /** Adds to an integer, which is 0 when it is not there. -> the sum */
  incr (key, by = 1, opts = undefined) {
    return this.#change(key, opts, WRITE, ops.CACHE_INCR, 3, (w, name, o, domains) => {
      w.text(name, 0)
      w.number(checkBy(by))
      writeEntry(w, o, domains)
    }, same)
  }

  /**
   * Stores `value` if the present one is `expected`; undefined: if there is none.
   * -> whether it did
   */
  compareAndSet (key, expected, value, opts) {
    return this.#change(key, opts, WRITE, ops.CACHE_CAS, 4, (w, name, o, domains) => {
      w.text(name, 0)
      if (expected === undefined) w.nil()
      else writeBin(w, expected, this.#link.maxBytes)
      writeBin(w, value, this.#link.maxBytes)
      writeEntry(w, o, domains)
    }, same)
  }

  /**
   * The value of a key; what is absent is loaded by one caller for all, in all
   * processes of a daemon.
   */
  wrap (key, loader, opts) {
    try {
      const name = this.#key(key)
      if (opts === undefined || (opts !== null && typeof opts === 'object' && opts.copy !== true && opts.signal === undefined)) {
        const entry = typeof loader === 'function' ? this.#link.find(name) : null
        if (entry !== null) return Promise.resolve(this.#link.give(entry, false))
      }
      return this.#link.wraps.wrap(checkKey(name), loader, opts)
    } catch (err) {
      return Promise.reject(err)
    }
  }

  /** Drops everything that was stored with the tag, or one of the tags. */
  dropTag (tags, opts) {
    try {
      const list = namesOf('dropTag', tags)
      return this.#drop(list.map((tag) => `#${tag}`), opts)
    } catch (err) {
      return Promise.reject(err)
    }
  }

  /** Drops everything; of a namespace, everything in it. */
  clear (opts) {
    try {
      if (this.#prefix !== '') return this.#drop([`n:${this.#prefix.slice(0, -1)}`], opts)
      return this.#link.change(ops.CACHE_CLEAR, null, readOptions(opts, CALL), 0, nothing, none)
    } catch (err) {
      return Promise.reject(err)
    }
  }

  /** Figures of the cache, and of the first level of this handle. */
  stats (opts) {
    try {
      return this.#link.ask(ops.CACHE_STATS, readOptions(opts, CALL), 0, nothing, (found) => this.#withFirst(found))
    } catch (err) {
      return Promise.reject(err)
    }
  }

  /** Bytes as they are, such as the body of a response. */
  setBytes (key, bytes, opts) {
    try {
      return this.set(key, checkBytes(bytes), opts)
    } catch (err) {
      return Promise.reject(err)
    }
  }

  /** The bytes that setBytes stored, as a Buffer of the caller's, or undefined. */
  async getBytes (key, opts) {
    return bytesOf(await this.get(key, opts))
  }

  /** The same cache, with a prefix to all keys; clear() drops those alone. */
  namespace (name) {
    checkName('namespace', name)
    if (name.includes(SEPARATOR)) throw expected('UC_OPTION', 'namespace', 'a name without U+001F, which stands between them', name)
    return new Cache(this.#link, `${this.#prefix}${name}${SEPARATOR}`)
  }

  /** The verbs that block; only where the core is in this process. */
  get sync () {
    if (this.#sync === null) {
      if (this.#link.direct === null) {
        throw new UndercroftError('UC_SYNC_UNAVAILABLE',
          'blocking calls need the cache in this process; open a file itself, or a cache without a database')
      }
      this.#sync = new CacheSync(this.#link, this.#prefix)
    }
    return this.#sync
  }

  #key (key) {
    if (this.#prefix === '') return key
    return this.#prefix + (typeof key === 'string' && key !== '' ? key : checkKey(key))
  }

  #keys (keys) {
    if (!Array.isArray(keys)) throw expected('UC_CACHE_KEY', 'keys', 'an array of strings', keys)
    return keys.map((key) => checkKey(this.#key(key)))
  }

  #domainsOfAll (pairs, o) {
    const domains = new Set()
    for (const [name] of pairs) for (const domain of namespacesOf(name)) domains.add(domain)
    // All of them are stored with the same domains, so they have to be in the same namespaces.
    const own = domainsOf(this.#prefix === '' ? '' : `${this.#prefix}x`, o)
    for (const domain of domains) {
      if (!own.includes(domain)) {
        throw new UndercroftError('UC_CACHE_KEY', 'setMany: a key holds U+001F, which stands behind the name of a namespace; use namespace()')
      }
    }
    return own
  }

  #change (key, opts, known, op, fields, write, arrived) {
    try {
      const name = checkKey(this.#key(key))
      const o = readOptions(opts, known)
      const domains = domainsOf(name, o)
      return this.#link.change(op, [name], o, fields, (w) => write(w, name, o, domains), arrived)
    } catch (err) {
      return Promise.reject(err)
    }
  }

  #drop (domains, opts) {
    return this.#link.change(ops.CACHE_DROP, null, readOptions(opts, CALL), 1, (w) => w.any(domains), none)
  }

  #withFirst (found) {
    return { ...found, firstLevel: this.#link.first === null ? null : this.#link.first.stats }
  }
}

function isStored (reply) {
  return reply[0] === true
}

function msOf (ms) {
  return ms === null ? undefined : ms < 0 ? Infinity : ms
}

function same (value) {
  return value
}

function none () {
  return undefined
}

function nothing () {}

function refused () {
  return new UndercroftError('UC_NO_CACHE', 'this handle was opened with cache: false', { outcome: 'not-sent' })
}

// What a handle without a cache has in its place: everything is refused.
const noCache = {
  peek () { throw refused() },
  namespace () { return this },
  get sync () { throw refused() }
}
for (const name of Object.getOwnPropertyNames(Cache.prototype)) {
  if (name !== 'constructor' && !(name in noCache)) noCache[name] = () => Promise.reject(refused())
}
Object.freeze(noCache)

module.exports = { Cache, noCache }
