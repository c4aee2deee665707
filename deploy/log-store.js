'use strict'
// The archives on this machine: <to>/<host>/<application|gateway>/…. A file gets
// its name when it is whole and verified; nothing is overwritten, and no
// symbolic link is followed.

const fs = require('node:fs')
const path = require('node:path')
const { createHash } = require('node:crypto')
const { pipeline } = require('node:stream/promises')
const { DeployError } = require('./errors')
const { dayText, hasDate, logDay } = require('./agent/host/log-day')

const PART = '.part'
const MAX_NAME = 255
const { O_RDWR, O_CREAT, O_NOFOLLOW } = fs.constants

class LogStore {
  #root
  #lock

  /** to: a folder, which is made; host: the name of a host. One process at a time, see close(). */
  constructor (to, host) {
    if (host === '' || host === '.' || host === '..' || /[/\0]/.test(host)) throw new DeployError('UC_DEPLOY_LOGS', `${JSON.stringify(host)} cannot be the name of a folder`)
    this.#root = path.join(path.resolve(to), host)
    fs.mkdirSync(this.#root, { recursive: true, mode: 0o750 })
    this.#lock = path.join(this.#root, '.lock')
    takeLock(this.#lock)
  }

  get root () {
    return this.#root
  }

  close () {
    fs.rmSync(this.#lock, { force: true })
  }

  /**
   * Where a file of the host belongs: { file, part }. A name that logrotate
   * counts up (access.log.15.gz) is made one that stays: with its day.
   */
  place ({ kind, rel, day }) {
    const segments = String(rel).split('/')
    // eslint-disable-next-line no-control-regex
    if (segments.some(name => name === '' || name === '.' || name === '..' || /[\0-\x1f\x7f]/.test(name) || Buffer.byteLength(name) > MAX_NAME - 20)) {
      throw new DeployError('UC_DEPLOY_LOGS', `the host has a file with the name ${JSON.stringify(rel)}, which is not taken`)
    }
    const last = segments.pop()
    const name = hasDate(last) ? last : last.replace(/\.\d{1,4}(?=(\.(gz|zst|xz|bz2))?$)/, `-${dayText(day)}`)
    const dir = path.join(this.#root, kind, ...segments)
    this.#makeFolder(dir)
    return path.join(dir, name)
  }

  // Each folder of the way is one, and not a link to somewhere.
  #makeFolder (dir) {
    let at = this.#root
    for (const name of path.relative(this.#root, dir).split('/')) {
      at = path.join(at, name)
      fs.mkdirSync(at, { recursive: true, mode: 0o750 })
      if (!fs.lstatSync(at).isDirectory()) throw new DeployError('UC_DEPLOY_LINK', `${at} is not a folder`, { hint: 'remove the link: archives are kept below it only' })
    }
  }

  /** A different file of the same name: beside it, told apart by its content. */
  beside (file, sha256) {
    return `${file}~${sha256.slice(0, 8)}`
  }

  /** Bytes of a download that was interrupted; 0 if there is none, or it is too long. */
  resumeAt (file, size) {
    const stat = fs.lstatSync(file + PART, { throwIfNoEntry: false })
    if (!stat?.isFile() || stat.size > size) {
      fs.rmSync(file + PART, { force: true, recursive: true })
      return 0
    }
    return stat.size
  }

  /** -> { write(bytes): Promise, close(): Promise }, at `offset` of the part. */
  async writer (file, offset) {
    const handle = await fs.promises.open(file + PART, O_RDWR | O_CREAT | O_NOFOLLOW, 0o640)
    await handle.truncate(offset)
    let at = offset
    return {
      async write (bytes) {
        for (let done = 0; done < bytes.length;) {
          const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at)
          done += bytesWritten
          at += bytesWritten
        }
      },
      async close () {
        await handle.sync()
        await handle.close()
      }
    }
  }

  /** The part, read from the disk again, gets its name if it is what the host has. */
  async finish (file, { sha256, mtimeMs }) {
    if (await hashOf(file + PART) !== sha256) return false
    fs.utimesSync(file + PART, mtimeMs / 1000, mtimeMs / 1000)
    fs.renameSync(file + PART, file)
    const dir = fs.openSync(path.dirname(file), 'r')
    fs.fsyncSync(dir)
    fs.closeSync(dir)
    return true
  }

  dropPart (file) {
    fs.rmSync(file + PART, { force: true })
  }

  /** Whether a verified file is here: same size and content. */
  async has (file, { size, sha256 }) {
    const stat = fs.lstatSync(file, { throwIfNoEntry: false })
    return Boolean(stat?.isFile()) && stat.size === size && await hashOf(file) === sha256
  }

  exists (file) {
    return fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined
  }

  /** The days of which there are archives here: a Set. */
  days (kind) {
    return new Set(this.#files(kind).filter(({ file }) => !file.endsWith(PART)).map(({ day }) => day))
  }

  /** Deletes what is older than so many days; -> the names. */
  prune ({ today, keepDays }) {
    const old = ['application', 'gateway'].flatMap(kind => this.#files(kind)).filter(({ day }) => today - day > keepDays)
    for (const { file } of old) fs.unlinkSync(file)
    return old.map(({ file }) => path.relative(this.#root, file))
  }

  // -> [{ file, day }]
  #files (kind) {
    const found = []
    const visit = dir => {
      for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
        const file = path.join(dir, entry.name)
        if (entry.isDirectory()) visit(file)
        if (entry.isFile()) found.push({ file, day: logDay(entry.name, fs.lstatSync(file).mtimeMs) })
      }
    }
    const top = path.join(this.#root, kind)
    if (fs.lstatSync(top, { throwIfNoEntry: false })?.isDirectory()) visit(top)
    return found
  }
}

async function hashOf (file) {
  const hash = createHash('sha256')
  await pipeline(fs.createReadStream(file), hash)
  return hash.digest('hex')
}

// A pid in a file: cron and somebody at the keyboard may want the same at once.
function takeLock (file) {
  for (;;) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: 'wx' })
      return
    } catch (err) {
      if (err.code !== 'EEXIST') throw err
    }
    const pid = Number(fs.readFileSync(file, 'utf8'))
    if (pid > 0 && isAlive(pid)) {
      throw new DeployError('UC_DEPLOY_LOCKED', `the process ${pid} pulls logs into ${path.dirname(file)}`, { hint: `wait until it is over; if it is something else, remove ${file}` })
    }
    fs.rmSync(file, { force: true })
  }
}

function isAlive (pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (err) {
    return err.code === 'EPERM'
  }
}

module.exports = { LogStore }
