'use strict'

// What the programs of the log's cases share: the load, and the proof that its
// lines are in the file.

const { now } = require('./loop')
const { arrived, bytesOf, eachLine, essence, sync, verify } = require('./log-lines')

const CHECKED = 3
const TURN = 100 // lines that a service writes before its event loop turns

const turn = () => new Promise(resolve => setImmediate(resolve))

/** One logger under load; lines are numbered from 0 over all its rounds. */
class Load {
  #lib
  #next = 0
  #lineBytes = 0

  constructor (lib) {
    this.#lib = lib
  }

  /** Writes the first lines: what they say, as it is compared. */
  async check () {
    const lib = this.#lib
    for (let i = 0; i < CHECKED; i++) lib.log(this.#next++)
    await lib.flush()
    await arrived(lib, CHECKED)
    const texts = []
    // Its first bytes are there; the last line is whole when the lines are as many.
    for (let whole = false; !whole; await turn()) {
      texts.length = 0
      for (const file of lib.files()) {
        eachLine(file, 0, (id, bytes, start, end) => { texts.push(bytes.toString('utf8', start, end)) })
      }
      whole = texts.length === CHECKED && texts[CHECKED - 1].endsWith('}')
    }
    const lengths = new Set(texts.map(text => Buffer.byteLength(text) + 1))
    if (lengths.size !== 1) throw new Error(`lines of different lengths: ${texts.join('\n')}`)
    this.#lineBytes = [...lengths][0]
    return texts.map(text => essence(JSON.parse(text)))
  }

  /** Bytes of each line, once check() has seen some. */
  get lineBytes () {
    return this.#lineBytes
  }

  /**
   * Calls write(i) for line after line, TURN of them a turn of the event loop,
   * until over(count) is true: { from, count }.
   */
  async write (over, write = this.#lib.log) {
    const from = this.#next
    do {
      for (let i = 0; i < TURN; i++) write(this.#next++)
      await turn()
    } while (!over(this.#next - from))
    return { from, count: this.#next - from }
  }

  /**
   * Lines for about `ms`, and waits until all are on the disk. What is asserted
   * about the file is asserted after the clock has stopped.
   */
  async round (ms, write) {
    const lib = this.#lib
    const before = bytesOf(lib.files())
    const parts = lib.files().map(file => ({ file, from: bytesOf([file]) }))
    const cpu = process.cpuUsage()
    const start = now()
    const { from, count } = await this.write(() => now() - start >= ms, write)
    const written = now() - start
    await lib.flush()
    await arrived(lib, before + count * this.#lineBytes)
    sync(lib.files())
    const elapsed = now() - start
    const { user, system } = process.cpuUsage(cpu)
    verify(parts, [{ from, count }])
    return { rate: count * 1000 / elapsed, accepted: count * 1000 / written, cpu: (user + system) / count }
  }
}

module.exports = { Load, TURN, turn }
