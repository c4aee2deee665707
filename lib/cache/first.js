'use strict'

// The first level: decoded values in this heap, to be had without a call.
// It holds what was read under a lease: until `trust` (a time of
// clock.js) whoever changes one of its keys waits for us to say that
// we have dropped it. Who keeps it up is hold.js.
//
// Which entry goes when there are too many is decided by SIEVE (Zhang et al.,
// "SIEVE is Simpler than LRU", NSDI '24): a queue in the order of arrival, and a
// hand that moves through it from the oldest on, drops the first entry that was
// not visited since it came by, and lets the others have another round. A hit
// sets one flag and moves nothing.

const { now } = require('./clock')

// What an entry takes besides its key and value: itself, two places in maps.
const ENTRY_BYTES = 256
// A value may take this share of the budget, so that one cannot empty it.
const LARGEST = 1 / 8

class CacheEntry {
  constructor (key, hash, domains, expires, bytes) {
    this.key = key
    this.value = undefined
    // The value can be changed by who gets it: it is made anew from these each time.
    this.raw = null
    this.expires = expires
    this.visited = false
    this.hash = hash
    this.domains = domains
    this.bytes = bytes
    this.older = null
    this.newer = null
  }
}

class First {
  #map = new Map()
  #hashes = new Map()
  // domain -> the entries that belong to it
  #domains = new Map()
  #maxBytes
  #maxEntries
  #bytes = 0
  #oldest = null
  #newest = null
  #hand = null

  /** Nothing is given out from this time on. */
  trust = 0
  hits = 0
  misses = 0
  evicted = 0

  /** @param {{ bytes: number, entries: number }} options */
  constructor ({ bytes, entries }) {
    this.#maxBytes = bytes
    this.#maxEntries = entries
  }

  /**
   * The entry of a key, or null: absent, over, or not to be trusted now. The
   * clock is read each time: a process that was stopped has no other way to know.
   */
  find (key) {
    const entry = this.#map.get(key)
    if (entry !== undefined) {
      const time = now()
      if (time < this.trust && time < entry.expires) {
        entry.visited = true
        this.hits++
        return entry
      }
      if (time >= entry.expires) this.#remove(entry)
    }
    this.misses++
    return null
  }

  /**
   * Keeps a value. What it takes is estimated from its encoded form.
   *
   * @param {string} key
   * @param {*} value shared by all who ask, so it must not be changeable
   * @param {Buffer|null} raw given in place of a value that is
   * @param {number} size bytes of its encoded form
   * @param {number} expires a time of the clock
   * @param {number} hash of the key, as the core tells it
   * @param {number[]} domains hashes of what the entry belongs to
   */
  put (key, value, raw, size, expires, hash, domains) {
    const bytes = ENTRY_BYTES + 2 * key.length + (raw === null ? 2 * size : size) + 64 * domains.length
    const same = this.#map.get(key)
    if (same !== undefined) this.#remove(same)
    if (bytes > this.#maxBytes * LARGEST) return
    // Two keys with one hash: the core may mean either.
    const twin = this.#hashes.get(hash)
    if (twin !== undefined) this.#remove(twin)
    while (this.#map.size >= this.#maxEntries || this.#bytes + bytes > this.#maxBytes) this.#evict()
    const entry = new CacheEntry(key, hash, domains, expires, bytes)
    entry.value = value
    entry.raw = raw
    this.#map.set(key, entry)
    this.#hashes.set(hash, entry)
    for (const domain of domains) {
      const members = this.#domains.get(domain)
      if (members === undefined) this.#domains.set(domain, new Set([entry]))
      else members.add(entry)
    }
    this.#bytes += bytes
    entry.older = this.#newest
    if (this.#newest !== null) this.#newest.newer = entry
    else this.#oldest = entry
    this.#newest = entry
  }

  delete (key) {
    const entry = this.#map.get(key)
    if (entry !== undefined) this.#remove(entry)
  }

  deleteHash (hash) {
    const entry = this.#hashes.get(hash)
    if (entry !== undefined) this.#remove(entry)
  }

  deleteDomain (domain) {
    const members = this.#domains.get(domain)
    if (members === undefined) return
    for (const entry of members) this.#remove(entry)
  }

  clear () {
    this.#map.clear()
    this.#hashes.clear()
    this.#domains.clear()
    this.#bytes = 0
    this.#oldest = this.#newest = this.#hand = null
  }

  /** How often somebody has asked. */
  get uses () {
    return this.hits + this.misses
  }

  get stats () {
    return {
      entries: this.#map.size,
      bytes: this.#bytes,
      maxBytes: this.#maxBytes,
      maxEntries: this.#maxEntries,
      hits: this.hits,
      misses: this.misses,
      evicted: this.evicted
    }
  }

  #evict () {
    let entry = this.#hand ?? this.#oldest
    while (entry.visited) {
      entry.visited = false
      entry = entry.newer ?? this.#oldest
    }
    this.#hand = entry
    this.evicted++
    this.#remove(entry)
  }

  #remove (entry) {
    const { older, newer } = entry
    if (this.#hand === entry) this.#hand = newer
    if (older !== null) older.newer = newer
    else this.#oldest = newer
    if (newer !== null) newer.older = older
    else this.#newest = older
    this.#bytes -= entry.bytes
    this.#map.delete(entry.key)
    this.#hashes.delete(entry.hash)
    for (const domain of entry.domains) {
      const members = this.#domains.get(domain)
      if (members !== undefined && members.delete(entry) && members.size === 0) this.#domains.delete(domain)
    }
  }
}

module.exports = { First, ENTRY_BYTES }
