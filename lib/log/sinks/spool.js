'use strict'

// Lines of a client that its daemon has not acknowledged: a file in the log's
// directory that the daemon takes in, by the numbers of the lines, when the client
// is not connected. csrc/core/log/spool.h has the format.
//
//   <dir>/.rings/spool/<id>        of a process that is there
//   <dir>/.rings/spool/<id>.done   of one that has ended

const { builtin } = require('../../base/builtin')
const fs = builtin('node:fs')
const path = builtin('node:path')

const MAGIC = 0x50534355
const HEAD = 24
// A file that is larger than this, and twice what it is needed for, is made anew.
const LARGE = 1024 * 1024
// One that is not is emptied when it has come to this: what the daemon has already is
// known by its number, and to cut a file after each answer costs more than to add.
const FULL = 256 * 1024
const ROOM = 64 * 1024

class Spool {
  #file
  #fd = -1
  #size = 0
  #scratch = Buffer.allocUnsafeSlow(ROOM)
  #broken = false

  /** @returns {Spool|null} null: this process may not write there */
  static in (dir, id) {
    const place = path.join(dir, '.rings', 'spool')
    try {
      fs.accessSync(place, fs.constants.W_OK | fs.constants.X_OK)
      return new Spool(path.join(place, id.toString('hex')))
    } catch {
      return null
    }
  }

  constructor (file) {
    this.#file = file
  }

  get isOpen () { return this.#fd >= 0 }

  /** Whether the daemon has taken the file for one that was left, and removed it. */
  get isGone () {
    return this.#fd >= 0 && fs.fstatSync(this.#fd).nlink === 0
  }

  /** Adds one line with its number. It is with the kernel when this returns. */
  add (number, line) {
    if (this.#fd < 0) return
    const most = line.length * 3 + HEAD + 8
    if (most > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(most)
    const b = this.#scratch
    const length = b.write(line, HEAD)
    const end = fill(b, number, 1, length)
    this.#write(b, end)
  }

  /** Adds { last, count, bytes }. */
  addBatch (batch) {
    if (this.#fd < 0) return
    const b = record(batch)
    this.#write(b, b.length)
  }

  /** Nothing in it is needed any more. */
  clear () {
    if (this.#fd < 0 || this.#size < FULL) return
    fs.ftruncateSync(this.#fd, 0)
    this.#size = 0
  }

  /** Too much of it is not needed any more. */
  isLarge (needed) {
    return this.#size > LARGE && this.#size > 2 * needed
  }

  /** Makes the file, with these batches: { last, count, bytes }. */
  begin (batches) {
    if (this.#broken) return
    const part = `${this.#file}.part`
    let fd = -1
    try {
      fd = fs.openSync(part, 'wx', 0o640)
      const size = writeAll(fd, batches)
      fs.renameSync(part, this.#file)
      this.#close()
      // What is added later goes to the end, also after it was cleared.
      this.#fd = fs.openSync(this.#file, 'a')
      this.#size = size
    } catch (err) {
      this.#failed(err)
    } finally {
      if (fd >= 0) fs.closeSync(fd)
      fs.rmSync(part, { force: true })
    }
  }

  /**
   * The process ends: leaves these batches to the daemon, or takes the file back
   * when there are none.
   *
   * @returns {boolean} whether they are there
   */
  finish (batches) {
    try {
      if (batches.length === 0) {
        if (this.#fd >= 0) fs.rmSync(this.#file, { force: true })
        return true
      }
      this.begin(batches)
      if (this.#fd < 0) return false
      fs.renameSync(this.#file, `${this.#file}.done`)
      return true
    } catch {
      return false
    } finally {
      this.#close()
    }
  }

  #write (b, end) {
    try {
      for (let from = 0; from < end;) from += fs.writeSync(this.#fd, b, from, end - from)
      this.#size += end
    } catch (err) {
      this.#failed(err)
    }
  }

  // Lines are still sent; only what this was for is gone, which is said.
  #failed (err) {
    this.#close()
    this.#broken = true
    try {
      fs.writeSync(2, `undercroft: the log's spool ${this.#file} cannot be written: ${err.message}; ` +
        'the end of this process may cost lines that were not sent\n')
    } catch {
      // There is nobody to tell.
    }
  }

  #close () {
    if (this.#fd >= 0) fs.closeSync(this.#fd)
    this.#fd = -1
  }
}

function writeAll (fd, batches) {
  let size = 0
  for (const batch of batches) {
    const b = record(batch)
    for (let from = 0; from < b.length;) from += fs.writeSync(fd, b, from, b.length - from)
    size += b.length
  }
  return size
}

function record ({ last, count, bytes }) {
  const b = Buffer.alloc(HEAD + bytes.length + 8)
  bytes.copy(b, HEAD)
  return b.subarray(0, fill(b, last, count, bytes.length))
}

// The head in front of `length` bytes of lines, and the padding behind them.
function fill (b, last, count, length) {
  b.writeUInt32LE(MAGIC, 0)
  b.writeUInt32LE(length, 4)
  b.writeUInt32LE(count, 8)
  b.writeUInt32LE(0, 12)
  b.writeUInt32LE(last >>> 0, 16)
  b.writeUInt32LE(Math.floor(last / 0x100000000), 20)
  const end = HEAD + Math.ceil(length / 8) * 8
  b.fill(0, HEAD + length, end)
  return end
}

module.exports = { Spool }
