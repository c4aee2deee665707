'use strict'

// A release against its manifest, by the content of every file.

const crypto = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const { setImmediate: turn } = require('node:timers/promises')
const { Worker } = require('node:worker_threads')

const MOST_WORKERS = 4
const ALONE_FILES = 1000 // below this a worker takes longer to start than it saves
const ALONE_BYTES = 16 * 2 ** 20
const SLICE_MS = 20 // after which the heartbeats get a turn
const PORTION = 32 // files that a thread takes at a time
const KINDS = { file: 0o100000, all: 0o170000 }

/**
 * Reads every file and compares size, mode and sha256; links by their target.
 *
 * @param {string} dir the release's folder
 * @param {object} manifest
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ files: number, bytes: number, bad: { path, why }[] }>}
 */
async function check (dir, { files, links }, signal) {
  const bytes = files.reduce((sum, [, size]) => sum + size, 0)
  const threads = files.length < ALONE_FILES && bytes < ALONE_BYTES
    ? 1
    : Math.min(MOST_WORKERS, os.availableParallelism())
  // Each takes the next portion when it is done with one: a worker is not there at once.
  const taken = new Int32Array(new SharedArrayBuffer(4))
  const share = { dir, files, taken, portion: PORTION }
  const found = await Promise.all([
    ...Array.from({ length: threads - 1 }, () => inWorker(share, signal)),
    here(share, signal)
  ])
  const bad = [...found.flat(), ...wrongLinks(dir, links)].sort((a, b) => a.path < b.path ? -1 : 1)
  return { files: files.length, bytes, bad }
}

/** The same without reading: size, type and mode. */
function stat (dir, { files, links }) {
  const bad = []
  let bytes = 0
  for (const [name, size, mode] of files) {
    bytes += size
    const seen = fs.lstatSync(`${dir}/${name}`, { throwIfNoEntry: false })
    const why = seen ? whyWrong(seen, size, mode) : 'it is missing'
    if (why) bad.push({ path: name, why })
  }
  bad.push(...wrongLinks(dir, links))
  return { files: files.length, bytes, bad }
}

function whyWrong (seen, size, mode) {
  if ((seen.mode & KINDS.all) !== KINDS.file) return 'it is no file'
  if (seen.size !== size) return `it has ${seen.size} bytes, not ${size}`
  if ((seen.mode & 0o777) !== (mode ? 0o555 : 0o444)) {
    return `its mode is 0${(seen.mode & 0o777).toString(8)}, not 0${mode ? '555' : '444'}`
  }
  return null
}

function wrongLinks (dir, links) {
  return links.flatMap(([name, target]) => {
    try {
      const seen = fs.readlinkSync(`${dir}/${name}`)
      return seen === target ? [] : [{ path: name, why: `it points to ${seen}, not ${target}` }]
    } catch (err) {
      return [{ path: name, why: err.code === 'ENOENT' ? 'it is missing' : 'it is no link' }]
    }
  })
}

// In one call where the runtime has it (Node 20.12): a third of the time for a small file.
const sha256 = crypto.hash
  ? bytes => crypto.hash('sha256', bytes, 'hex')
  : bytes => crypto.createHash('sha256').update(bytes).digest('hex')

// Runs here and, as its text, in workers: it may use only what it is given.
function comparer (fs, crypto, whyWrong) {
  const room = Buffer.allocUnsafe(2 ** 20)
  const sha256 = crypto.hash && (bytes => crypto.hash('sha256', bytes, 'hex'))
  return function (dir, [name, size, mode, hash]) {
    let fd
    try {
      // O_NOFOLLOW: a link in the place of a file is not that file.
      fd = fs.openSync(`${dir}/${name}`, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK)
    } catch (err) {
      return { path: name, why: err.code === 'ENOENT' ? 'it is missing' : `it cannot be read (${err.code})` }
    }
    try {
      const why = whyWrong(fs.fstatSync(fd), size, mode)
      if (why) return { path: name, why }
      if (sha256 && size <= room.length) {
        const count = fs.readSync(fd, room, 0, size, null)
        // A read that was cut short is begun again below.
        if (count === size) return sha256(room.subarray(0, size)) === hash ? null : { path: name, why: 'its content is another' }
        fs.closeSync(fd)
        fd = fs.openSync(`${dir}/${name}`, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW)
      }
      const digest = crypto.createHash('sha256')
      let rest = size
      while (rest > 0) {
        const count = fs.readSync(fd, room, 0, Math.min(rest, room.length), null)
        if (count === 0) break
        digest.update(count === room.length ? room : room.subarray(0, count))
        rest -= count
      }
      return digest.digest('hex') === hash ? null : { path: name, why: 'its content is another' }
    } finally {
      fs.closeSync(fd)
    }
  }
}

// The same: what is wrong in the portions that this thread gets.
function * taker ({ dir, files, taken, portion }, compare) {
  for (let first; (first = Atomics.add(taken, 0, portion)) < files.length;) {
    yield files.slice(first, first + portion).map(file => compare(dir, file)).filter(Boolean)
  }
}

async function here (share, signal) {
  const bad = []
  let end = Date.now() + SLICE_MS
  for (const some of taker(share, comparer(fs, crypto, whyWrong))) {
    bad.push(...some)
    if (Date.now() < end) continue
    await turn()
    signal?.throwIfAborted()
    end = Date.now() + SLICE_MS
  }
  return bad
}

const WORKER = `'use strict'
const { parentPort, workerData } = require('node:worker_threads')
const KINDS = ${JSON.stringify(KINDS)}
${whyWrong}
${taker}
const compare = (${comparer})(require('node:fs'), require('node:crypto'), whyWrong)
parentPort.postMessage([...taker(workerData, compare)].flat())`

async function inWorker (share, signal) {
  const worker = new Worker(WORKER, { eval: true, workerData: share })
  const stop = () => worker.terminate()
  signal?.addEventListener('abort', stop)
  try {
    return await new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
      worker.once('exit', code => {
        reject(signal?.aborted ? signal.reason : new Error(`the thread that verifies ended with ${code}`))
      })
    })
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

module.exports = { check, stat, sha256 }
