'use strict'

// The sha256 of every file, from an index where nothing has changed since: as
// git's index has it, by size, times and inode.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Worker } = require('node:worker_threads')
const { DeployError } = require('../errors')
const { hashFile } = require('./hash-file')

const VERSION = 1
// A file that was changed so shortly before it was read may be changed again
// without another time: file systems count in up to two seconds (FAT). It is
// not remembered, and read again the next time. git calls such an entry racy.
const RACY_MS = 2000
const MOST_WORKERS = 4
const WORKER_BYTES = 4 * 2 ** 20 // of work, below which a worker is not worth its start
const PER_FILE = 20_000 // bytes that could be hashed while one file is opened

/**
 * Adds `hash` to each file.
 *
 * @param {string} source
 * @param {object[]} files what walk returned
 * @param {string} indexFile where the hashes are kept; one that is damaged or
 *   cannot be written only costs time
 * @returns {Promise<{ read: number, bytes: number }>} what had to be read
 * @throws UC_DEPLOY_SOURCE for a file that cannot be read or changes meanwhile
 */
async function addHashes (source, files, indexFile) {
  const known = readIndex(indexFile)
  const todo = []
  for (const file of files) {
    const entry = known.get(file.path)
    if (entry && entry[0] === file.key) file.hash = entry[1]
    else todo.push(file)
  }
  const began = Date.now()
  await hashAll(source, todo)
  if (todo.length || known.size !== files.length) {
    writeIndex(indexFile, files.filter(file => known.get(file.path)?.[0] === file.key || began - file.changedMs > RACY_MS))
  }
  return { read: todo.length, bytes: todo.reduce((sum, { size }) => sum + size, 0) }
}

async function hashAll (source, files) {
  const cost = files.reduce((sum, { size }) => sum + size + PER_FILE, 0)
  const threads = Math.min(MOST_WORKERS, os.availableParallelism(), Math.floor(cost / WORKER_BYTES))
  if (threads < 1) {
    for (const file of files) take(file, hashFile(path.join(source, file.path), file.size))
    return
  }
  await Promise.all(shares(files, cost, threads).map(share => inWorker(source, share)))
}

// This thread is left free: it opens the connection meanwhile.
async function inWorker (source, files) {
  const worker = new Worker(require.resolve('./hash-file'), {
    workerData: { source, files: files.map(({ path, size }) => [path, size]) }
  })
  const results = await new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', code => reject(new Error(`the thread that reads the files ended with ${code}`)))
  })
  files.forEach((file, i) => take(file, results[i]))
}

function take (file, { hash, why }) {
  if (why) {
    throw new DeployError('UC_DEPLOY_SOURCE', `'${file.path}' ${why}`, { hint: 'run the same command again, or name it in `ignore`', details: { path: file.path } })
  }
  file.hash = hash
}

function shares (files, cost, count) {
  const out = [[]]
  let sum = 0
  for (const file of files) {
    if (sum >= cost / count * out.length && out.length < count) out.push([])
    out.at(-1).push(file)
    sum += file.size + PER_FILE
  }
  return out
}

function readIndex (file) {
  try {
    const { version, files } = JSON.parse(fs.readFileSync(file, 'utf8'))
    if (version === VERSION) return new Map(Object.entries(files))
  } catch {
    // None yet, or damaged.
  }
  return new Map()
}

function writeIndex (file, files) {
  const beside = `${file}.${process.pid}.tmp`
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true })
    const ignore = path.join(path.dirname(file), '.gitignore')
    if (!fs.existsSync(ignore)) fs.writeFileSync(ignore, '*\n')
    fs.writeFileSync(beside, JSON.stringify({ version: VERSION, files: Object.fromEntries(files.map(({ path, key, hash }) => [path, [key, hash]])) }))
    fs.renameSync(beside, file)
  } catch {
    // The next run reads the files again.
    fs.rmSync(beside, { force: true })
  }
}

module.exports = { addHashes }
