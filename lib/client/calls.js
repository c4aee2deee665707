'use strict'

// The calls of a client that wait for their replies.
//
// Invariants:
//  - records[slot] is the record of the call in flight with that slot; its id is
//    0 while the slot is free.
//  - a record is released exactly once, by settle or fail; the promise it held
//    can then only be settled with what they passed on.
//  - promises are only resolved here, never rejected: a failure resolves with
//    an async function that throws, made only then, which is how the stack of
//    the error names the awaiting caller at no cost to the calls that succeed.

const { SLOT_MASK } = require('../wire/id')
const { unlisten } = require('../base/abort')
const { CallRecord, want, fail } = require('./call')

// A static executor: no closure per call.
let resolveOfLast = null
function executor (resolve) {
  resolveOfLast = resolve
}

class Calls {
  // The first free slot, which names the next one; -1: none is free.
  #free = -1

  /** By slot. */
  records = []
  /** How many count: all but the quiet ones. */
  inFlight = 0
  /** Notes how long statements take, where they are logged; see log/slow.js. */
  slow = null

  /** A record with an id, for a call whose request is being written. */
  take () {
    let call
    if (this.#free >= 0) {
      call = this.records[this.#free]
      this.#free = call.next
    } else {
      call = new CallRecord(this.records.length)
      this.records.push(call)
    }
    call.begin()
    this.inFlight++
    return call
  }

  /**
   * The promise of a call whose request is written.
   *
   * @param {number} batch the one that the request is in
   * @param {boolean} quiet it does not count as in flight
   */
  promise (call, batch, quiet) {
    const promise = new Promise(executor)
    call.resolve = resolveOfLast
    call.batch = batch
    if (quiet) {
      call.quiet = true
      this.inFlight--
    }
    return promise
  }

  /** The record of the call with this id, or null when it is over. */
  find (id) {
    const call = this.records[id & SLOT_MASK]
    return call !== undefined && call.id === id ? call : null
  }

  /** Makes the slot free. For the caller only where no promise was made. */
  release (call) {
    if (call.signal !== null) unlisten(call)
    call.id = 0
    call.resolve = null
    call.prepared = null
    call.trace = null
    call.next = this.#free
    this.#free = call.slot
    if (call.quiet) call.quiet = false
    else this.inFlight--
  }

  /** The call has been answered with a value. */
  settle (call, value) {
    const { resolve, prepared, timing } = call
    const isTaken = call.want === want.TAKEN
    this.release(call)
    if (timing !== null) this.#timed(call, timing, value)
    if (isTaken) {
      try {
        value = prepared.arrived(value)
      } catch (err) {
        resolve(fail(() => err, null))
        return
      }
    }
    resolve(value)
  }

  /** The call has failed. @param {() => Error} make called once */
  fail (call, make) {
    const { resolve, trace, timing } = call
    this.release(call)
    if (timing !== null) {
      const err = make()
      this.#timed(call, timing, undefined, err)
      make = () => err
    }
    resolve(fail(make, trace))
  }

  #timed (call, timing, value, err) {
    call.timing = null
    this.slow.over(timing, value, err)
  }

  /** Fails all of them. @param {(call: CallRecord) => (() => Error)} reason read before the record is free */
  failAll (reason) {
    for (const call of this.records) if (call.id !== 0) this.fail(call, reason(call))
  }
}

module.exports = { Calls }
