'use strict'

// cache.sync: the verbs that block, where the core is in this process. Changes
// wait for the other threads that keep what they change, for 100 ms at most.

const { ops } = require('../wire/ops')
const { UndercroftError } = require('../base/errors')
const { READ, WRITE, EMPTY, SEPARATOR, checkKey, namesOf, readOptions, whole, domainsOf, writeEntry, MAX_MS } = require('./options')
const { writePairs, writeKeys, checkPairs, checkBytes, bytesOf, checkBy } = require('./verbs')
const { STANDS } = require('./direct')
const { writeBin } = require('../wire/value/encode')

const COPY = READ.filter((name) => name === 'copy')
const STORE = WRITE.filter((name) => name !== 'timeoutMs' && name !== 'signal')

class CacheSync {
  #link
  #direct
  #prefix

  constructor (link, prefix) {
    this.#link = link
    this.#direct = link.direct
    this.#prefix = prefix
  }

  get (key, opts) {
    const link = this.#link
    const name = this.#key(key)
    const copy = opts !== undefined && readOptions(opts, COPY).copy === true
    const entry = link.findNow(name)
    if (entry !== null) return entry.raw === null && !copy ? entry.value : link.give(entry, copy)
    checkKey(name)
    link.client.flush()
    const value = link.isChanging ? STANDS : link.getNow(name, copy)
    if (value !== STANDS) return value
    const bytes = this.#direct.block(ops.CACHE_GET, 1, (w) => w.text(name, 0), link.isChanging)
    return bytes === null ? undefined : link.valueOf(bytes, copy)
  }

  getMany (keys, opts) {
    const { copy } = readOptions(opts, COPY)
    if (!Array.isArray(keys)) checkKey(keys)
    const names = keys.map((key) => checkKey(this.#key(key)))
    const bins = this.#ask(ops.CACHE_GET_MANY, 1, (w) => writeKeys(w, names))
    return bins.map((bin) => bin === null ? undefined : this.#link.valueOf(bin, copy === true))
  }

  set (key, value, opts) {
    return this.#change(key, opts, ops.CACHE_SET, 3, (w, name, o, domains) => {
      w.text(name, 0)
      writeBin(w, value, this.#link.maxBytes)
      writeEntry(w, o, domains)
    })[0] === true
  }

  setMany (entries, opts) {
    const o = readOptions(opts, STORE)
    const pairs = checkPairs(entries).map(([key, value]) => [checkKey(this.#key(key)), value])
    if (pairs.length === 0) return 0
    const domains = domainsOf(`${this.#prefix}x`, o)
    return this.#block(ops.CACHE_SET_MANY, pairs.map(([name]) => name), 2, (w) => {
      writePairs(w, pairs, this.#link.maxBytes)
      writeEntry(w, o, domains)
    })
  }

  has (key) {
    return this.ttl(key) !== undefined
  }

  delete (key) {
    return this.#change(key, undefined, ops.CACHE_DELETE, 1, (w, name) => w.text(name, 0))
  }

  touch (key, ttlMs) {
    return this.#change(key, undefined, ops.CACHE_TOUCH, 2, (w, name) => {
      w.text(name, 0)
      w.number(whole('ttlMs', ttlMs, 1, MAX_MS))
    })
  }

  ttl (key) {
    const name = checkKey(this.#key(key))
    const ms = this.#ask(ops.CACHE_TTL, 1, (w) => w.text(name, 0))
    return ms === null ? undefined : ms < 0 ? Infinity : ms
  }

  incr (key, by = 1, opts = undefined) {
    return this.#change(key, opts, ops.CACHE_INCR, 3, (w, name, o, domains) => {
      w.text(name, 0)
      w.number(checkBy(by))
      writeEntry(w, o, domains)
    })
  }

  compareAndSet (key, expected, value, opts) {
    return this.#change(key, opts, ops.CACHE_CAS, 4, (w, name, o, domains) => {
      w.text(name, 0)
      if (expected === undefined) w.nil()
      else writeBin(w, expected, this.#link.maxBytes)
      writeBin(w, value, this.#link.maxBytes)
      writeEntry(w, o, domains)
    })
  }

  dropTag (tags) {
    this.#block(ops.CACHE_DROP, null, 1, (w) => w.any(namesOf('dropTag', tags).map((tag) => `#${tag}`)))
  }

  clear () {
    if (this.#prefix === '') this.#block(ops.CACHE_CLEAR, null, 0, nothing)
    else this.#block(ops.CACHE_DROP, null, 1, (w) => w.any([`n:${this.#prefix.slice(0, -SEPARATOR.length)}`]))
  }

  stats () {
    const { first } = this.#link
    return { ...this.#ask(ops.CACHE_STATS, 0, nothing), firstLevel: first === null ? null : first.stats }
  }

  setBytes (key, bytes, opts) {
    return this.set(key, checkBytes(bytes), opts)
  }

  getBytes (key) {
    return bytesOf(this.get(key))
  }

  #key (key) {
    if (this.#prefix === '') return key
    return this.#prefix + (typeof key === 'string' && key !== '' ? key : checkKey(key))
  }

  #change (key, opts, op, fields, write) {
    const name = checkKey(this.#key(key))
    const o = opts === undefined ? EMPTY : readOptions(opts, STORE)
    const domains = domainsOf(name, o)
    return this.#block(op, [name], fields, (w) => write(w, name, o, domains))
  }

  // What was called before goes first.
  #ask (op, fields, write) {
    this.#link.client.flush()
    return this.#direct.block(op, fields, write, this.#link.isChanging)
  }

  #block (op, names, fields, write) {
    if (this.#link.client.writing) {
      throw new UndercroftError('UC_SYNC_UNAVAILABLE', 'a getter of a value cannot block on the handle that stores it', { outcome: 'not-sent' })
    }
    this.#link.client.flush()
    return this.#link.changeNow(op, names, fields, write)
  }
}

function nothing () {}

module.exports = { CacheSync }
