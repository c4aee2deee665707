'use strict'

// Texts that come again and again in one place of a line (methods, routes, messages)
// as ready bytes, so that they are found instead of looked at character by character.

const { Piece } = require('./page')

// A longer text is seldom the same as one before.
const LONGEST = 64
// Texts of one place, and of all of them: about 300 bytes each.
const MOST = 128
const MOST_OF_ALL = 4096
// So many more texts that were new than known: this place has no texts that repeat.
const PATIENCE = 256

let kept = 0

class Repeats {
  #before
  #after
  #known = new Map()
  #misses = 0

  /** What stands before and after the text, in JSON. */
  constructor (before, after) {
    this.#before = before
    this.#after = after
  }

  /**
   * @param {string} text
   * @returns {Piece|null} it, quoted, with what stands before and after; null: it is not kept
   */
  find (text) {
    if (this.#known === null || text.length > LONGEST) return null
    const piece = this.#known.get(text)
    if (piece === undefined) return this.#learn(text)
    if (this.#misses > 0) this.#misses--
    return piece
  }

  #learn (text) {
    if (++this.#misses > PATIENCE) {
      kept -= this.#known.size
      this.#known = null
      return null
    }
    if (this.#known.size === MOST || kept === MOST_OF_ALL) return null
    // A part of a larger string would keep all of that alive.
    const own = Buffer.from(text).toString()
    if (own !== text) return null
    const piece = new Piece(this.#before + JSON.stringify(own) + this.#after)
    this.#known.set(own, piece)
    kept++
    return piece
  }
}

module.exports = { Repeats, LONGEST, MOST, MOST_OF_ALL, PATIENCE }
