'use strict'

// Reads the files of a log, archives included, in their order; follows the newest
// one over rotation.

const { builtin } = require('../base/builtin')
const fs = builtin('node:fs')
const path = builtin('node:path')
const zlib = builtin('node:zlib')
const { spawn } = builtin('node:child_process')
const { Transform, pipeline } = builtin('node:stream')
const { StringDecoder } = builtin('node:string_decoder')
const { UndercroftError } = require('../base/errors')

const FILE = /^([A-Za-z0-9_-]{1,64})-(\d{4}-\d{2}-\d{2})\.(\d{1,10})\.log(?:\.(gz|zst))?$/
const DAY_MS = 24 * 60 * 60 * 1000
// No line of ours is longer; what is goes on in pieces.
const LINE_CHARACTERS = 32 * 1024 * 1024
const CHUNK_BYTES = 256 * 1024
// Nobody who may write to the directory chooses what its reader opens, or lets him wait.
const FLAGS = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK
// Several processes write a file: a line may stand behind one that is so much younger.
const SLACK_MS = 60 * 60 * 1000
// Lines that are looked at for the time at which a file begins, and their characters.
const PEEKED = 100

/**
 * The files of a directory, the oldest first: { path, name, day, number, packed }.
 * `day` is its first millisecond (UTC), `packed` '', 'gz' or 'zst'. A file that is
 * there twice, because its archive has just been made, comes once.
 *
 * @param {string} dir
 * @param {string} [name] only of this log
 */
function filesOf (dir, name = undefined) {
  const found = new Map()
  for (const entry of fs.readdirSync(dir)) {
    const match = FILE.exec(entry)
    if (match === null || (name !== undefined && match[1] !== name)) continue
    const [, own, date, number, packed = ''] = match
    const day = Date.parse(`${date}T00:00:00Z`)
    if (Number.isNaN(day)) continue
    const key = `${own}-${date}.${Number(number)}`
    if (packed !== '' && found.has(key)) continue
    found.set(key, { path: path.join(dir, entry), name: own, day, number: Number(number), packed })
  }
  return [...found.values()].sort(inOrder)
}

function inOrder (a, b) {
  return a.day - b.day || a.number - b.number || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
}

/**
 * Leaves out the files whose lines are all older. A file ends at the latest on the
 * day on which the next of its name begins.
 *
 * @param {object[]} files of filesOf
 * @param {number} since
 */
function notBefore (files, since) {
  return files.filter((file, i) => {
    const next = files.find((other, j) => j > i && other.name === file.name)
    return next === undefined || next.day + DAY_MS > since
  })
}

/**
 * Leaves out the files whose lines are all younger, without reading more of them than
 * their beginning. What a dead process left in its ring comes first in the file of who
 * brings it in, and is found there.
 *
 * @param {object[]} files of filesOf
 * @param {number} until
 * @param {(line: string) => number|undefined} timeOf
 */
async function notAfter (files, until, timeOf) {
  const wanted = []
  for (const file of files) {
    // A day that has begun by then is not looked at any further.
    if (file.day <= until - DAY_MS || !(await beginOf(file, timeOf) > until + SLACK_MS)) wanted.push(file)
  }
  return wanted
}

// The time of the first line that has one; undefined: nothing is known.
async function beginOf (file, timeOf) {
  let n = 0
  try {
    for await (const line of linesOf(file)) {
      const time = timeOf(line)
      if (time !== undefined || ++n === PEEKED) return time
    }
  } catch {
    // Who reads it will say so.
  }
  return undefined
}

/**
 * The lines of a file, without their ends. A plain file that has become an archive
 * meanwhile is read as that; one that is gone has no lines.
 *
 * @param {object} file of filesOf
 * @param {number} [end] how many bytes of a plain file
 * @throws {UndercroftError} UC_LOG_IO for an archive that is damaged, or that
 *   nothing here can unpack (`lacking` is set then)
 */
async function * linesOf (file, end = Infinity) {
  if (end === 0) return
  const stream = open(file, end)
  if (stream === null) return
  const decoder = new StringDecoder('utf8')
  let rest = ''
  try {
    for await (const chunk of stream) {
      const lines = (rest + decoder.write(chunk)).split('\n')
      rest = lines.pop()
      yield * lines
      if (rest.length > LINE_CHARACTERS) {
        yield rest
        rest = ''
      }
    }
  } catch (cause) {
    if (cause instanceof UndercroftError) throw cause
    throw new UndercroftError('UC_LOG_IO', `${file.path} cannot be read to its end: ${cause.message}`, { cause })
  } finally {
    stream.destroy()
  }
  rest += decoder.end()
  if (rest !== '') yield rest
}

function open (file, end) {
  for (const packed of [file.packed, 'gz', 'zst']) {
    const name = packed === file.packed ? file.path : `${file.path}.${packed}`
    let fd
    try {
      fd = openFile(name)
    } catch (err) {
      if (err.code === 'ENOENT') continue
      if (err instanceof UndercroftError) throw err
      throw new UndercroftError('UC_LOG_IO', `${name} cannot be opened: ${err.message}`, { cause: err })
    }
    if (packed === 'zst' && typeof zlib.createZstdDecompress !== 'function') {
      return unpack(name, fd)
    }
    const bytes = fs.createReadStream(name, { fd, start: 0, end: packed === '' ? end - 1 : Infinity, highWaterMark: CHUNK_BYTES })
    if (packed === '') return bytes
    return pipeline(bytes, packed === 'gz' ? zlib.createGunzip() : zlib.createZstdDecompress(), ignore)
  }
  return null
}

// A file, and nothing that only has the name of one.
function openFile (name) {
  let fd
  try {
    fd = fs.openSync(name, FLAGS)
    if (fs.fstatSync(fd).isFile()) return fd
  } catch (err) {
    if (err.code !== 'ELOOP') throw err
    throw new UndercroftError('UC_LOG_IO', `${name} is a link, which is not followed: read the directory in which the file is`)
  }
  fs.closeSync(fd)
  throw new UndercroftError('UC_LOG_IO', `${name} is no file`)
}

// A runtime that knows no zstd: by the program of that name. The stream ends when
// that has ended well, since its output alone does not tell that the file was damaged.
function unpack (name, fd) {
  const child = spawn('zstd', ['-dcq'], { stdio: [fd, 'pipe', 'pipe'] })
  fs.closeSync(fd)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { said = (said + text).slice(0, 500) })
  const ended = new Promise((resolve) => {
    child.once('error', (cause) => {
      const err = new UndercroftError('UC_LOG_IO',
        `${name} is packed with zstd, which neither this runtime nor a program zstd can unpack here`, { cause })
      err.lacking = true
      resolve(err)
    })
    child.once('exit', (code) => {
      resolve(code === 0 ? null : new UndercroftError('UC_LOG_IO', `${name} cannot be unpacked: ${said.trim()}`))
    })
  })
  const out = new Transform({
    transform (chunk, encoding, done) { done(null, chunk) },
    flush (done) { ended.then(done) }
  })
  out.once('close', () => child.kill())
  return pipeline(child.stdout, out, ignore)
}

function ignore () {}

// Where the last whole line of a file ends.
function lastEnd (fd) {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  for (let end = fs.fstatSync(fd).size; end > 0;) {
    const from = Math.max(0, end - CHUNK_BYTES)
    const at = chunk.subarray(0, fs.readSync(fd, chunk, 0, end - from, from)).lastIndexOf(10)
    if (at >= 0) return from + at + 1
    end = from
  }
  return 0
}

// Whether the file of that name, if there is one, is the open one.
function isSame (fd, name) {
  const there = fs.lstatSync(name, { throwIfNoEntry: false })
  if (there === undefined) return true
  const { ino, dev } = fs.fstatSync(fd)
  return there.ino === ino && there.dev === dev
}

/** Follows the logs of a directory from where its files end, over those that come. */
class Follower {
  #dir
  #name
  // name of the log -> { file, fd, position, decoder, rest }
  #open = new Map()

  /**
   * @param {string} dir
   * @param {string|undefined} name
   * @param {object[]} files of filesOf
   */
  constructor (dir, name, files) {
    this.#dir = dir
    this.#name = name
    for (const file of files) {
      this.#leave(file.name)
      this.#enter(file, true)
    }
  }

  /** Where it begins in a file: what is before that has to be read by others. */
  beginOf (file) {
    const at = this.#open.get(file.name)
    return at !== undefined && at.file === file && at.fd !== null ? at.position : Infinity
  }

  /** What has come since the last time: lines without their ends. */
  async * more () {
    const files = filesOf(this.#dir, this.#name)
    const names = new Set([...this.#open.keys(), ...files.map((file) => file.name)])
    for (const name of names) {
      const at = this.#open.get(name)
      // Listed before it is read: what is in it now is all of it when there is a next one.
      const later = files.filter((file) => file.name === name && (at === undefined || inOrder(file, at.file) > 0))
      if (at !== undefined) {
        yield * this.#read(at)
        yield * this.#replaced(at)
      }
      for (const [i, file] of later.entries()) {
        yield * this.#leave(name)
        if (i < later.length - 1 || file.packed !== '') {
          this.#open.set(name, { file, fd: null, position: 0, decoder: new StringDecoder('utf8'), rest: '' })
          yield * linesOf(file)
        } else {
          yield * this.#enter(file, false) ? this.#read(this.#open.get(name)) : linesOf(file)
        }
      }
    }
  }

  // Moved away, and another one is there under its name, as logrotate's `create` does.
  * #replaced (at) {
    if (at.fd === null || isSame(at.fd, at.file.path)) return
    // What was written between the reading and the moving.
    yield * this.#read(at)
    yield * this.#leave(at.file.name)
    if (this.#enter(at.file, false)) yield * this.#read(this.#open.get(at.file.name))
  }

  #enter (file, isAtEnd) {
    let fd = null
    let position = 0
    try {
      if (file.packed === '') {
        fd = openFile(file.path)
        if (isAtEnd) position = lastEnd(fd)
      }
    } catch (err) {
      if (err.code !== 'ENOENT') throw err
    }
    this.#open.set(file.name, { file, fd, position, decoder: new StringDecoder('utf8'), rest: '' })
    return fd !== null
  }

  * #read (at) {
    if (at.fd === null) return
    const { size } = fs.fstatSync(at.fd)
    // Cut back to what is whole, by an owner that takes over.
    if (size < at.position) [at.position, at.rest] = [size, '']
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    while (at.position < size) {
      const n = fs.readSync(at.fd, chunk, 0, Math.min(CHUNK_BYTES, size - at.position), at.position)
      if (n === 0) return
      at.position += n
      const lines = (at.rest + at.decoder.write(chunk.subarray(0, n))).split('\n')
      at.rest = lines.pop()
      yield * lines
    }
  }

  // The last line of a file may lack its end.
  #leave (name) {
    const at = this.#open.get(name)
    if (at === undefined) return []
    this.#open.delete(name)
    if (at.fd !== null) fs.closeSync(at.fd)
    return at.rest === '' ? [] : [at.rest]
  }

  close () {
    for (const name of [...this.#open.keys()]) this.#leave(name)
  }
}

module.exports = { filesOf, notBefore, notAfter, linesOf, Follower }
