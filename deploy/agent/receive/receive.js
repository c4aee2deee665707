'use strict'

// Contents as they arrive: one after the other without anything between them,
// in the order that was agreed upon; the manifest says where each one ends.

const crypto = require('node:crypto')
const fs = require('node:fs')
const releases = require('../host/releases')
const { DeployError } = require('../../errors')
const { audited, begun, MODES } = require('./begin')
const { sha256 } = require('../host/verify')

const TELL_MS = 100

class ContentReceiver {
  #dir
  #parts
  #files
  #items
  #next = 0
  #current = null // { fd, digest, rest, part, entry } of a file that came in pieces
  #umask = process.umask()
  done = { files: 0, bytes: 0 }

  /** items: [[index in the manifest, bytes that are here already]…] */
  constructor ({ dir, parts, files, items }) {
    this.#dir = dir
    this.#parts = parts
    this.#files = files
    this.#items = items
    for (const [index, have] of items) {
      if (!files[index] || !(have >= 0 && have <= files[index][1])) throw outOfStep()
    }
    this.#skipEmpty()
  }

  /** Takes bytes in the order of the items; they are written when this returns. */
  push (chunk) {
    let at = 0
    while (at < chunk.length) {
      if (!this.#current) {
        if (this.#next === this.#items.length) throw outOfStep()
        const [index, have] = this.#items[this.#next]
        const entry = this.#files[index]
        const size = entry[1]
        if (have === 0 && chunk.length - at >= size) {
          this.#whole(entry, chunk.subarray(at, at + size))
          at += size
          this.#step(size)
          continue
        }
        this.#open(entry, have)
      }
      at += this.#piece(chunk.subarray(at, at + this.#current.rest))
    }
  }

  get isComplete () {
    return this.#next === this.#items.length
  }

  /** What has come of a file that is not whole stays for the next attempt. */
  close () {
    if (this.#current) fs.closeSync(this.#current.fd)
    this.#current = null
  }

  #step (bytes) {
    this.done.files++
    this.done.bytes += bytes
    this.#next++
    this.#skipEmpty()
  }

  // Nothing arrives for those that are empty, or whose last byte was the last
  // that came before.
  #skipEmpty () {
    while (this.#next < this.#items.length) {
      const [index, have] = this.#items[this.#next]
      const entry = this.#files[index]
      if (entry[1] > have) return
      if (have === 0) {
        this.#whole(entry, Buffer.alloc(0))
      } else {
        this.#open(entry, have)
        this.#finish()
      }
      this.done.files++
      this.#next++
    }
  }

  #whole ([name, , mode, hash], bytes) {
    if (sha256(bytes) !== hash) throw changed(name)
    const part = `${this.#parts}/${process.pid}`
    const fd = fs.openSync(part, 'wx', MODES[mode])
    try {
      let at = 0
      while (at < bytes.length) at += fs.writeSync(fd, bytes, at)
      if (MODES[mode] & this.#umask) fs.fchmodSync(fd, MODES[mode])
    } catch (err) {
      fs.rmSync(part, { force: true })
      throw err
    } finally {
      fs.closeSync(fd)
    }
    fs.renameSync(part, `${this.#dir}/${name}`)
  }

  #open (entry, have) {
    const [, size, , hash] = entry
    const part = `${this.#parts}/${hash}.part`
    const fd = fs.openSync(part, have ? 'r+' : 'w+', 0o600)
    this.#current = { fd, part, entry, at: have, rest: size - have, digest: crypto.createHash('sha256') }
    if (have) {
      fs.ftruncateSync(fd, have)
      hashStart(fd, have, this.#current.digest)
    }
  }

  #piece (bytes) {
    const { fd, digest } = this.#current
    let at = 0
    while (at < bytes.length) at += fs.writeSync(fd, bytes, at, bytes.length - at, this.#current.at + at)
    digest.update(bytes)
    this.#current.at += bytes.length
    this.#current.rest -= bytes.length
    this.done.bytes += bytes.length
    if (this.#current.rest === 0) {
      this.#finish()
      this.#step(0)
    }
    return bytes.length
  }

  #finish () {
    const { fd, part, digest, entry: [name, , mode, hash] } = this.#current
    this.#current = null
    try {
      if (digest.digest('hex') !== hash) {
        // Nothing of it can be used: the next attempt sends it from its beginning.
        fs.rmSync(part, { force: true })
        throw changed(name)
      }
      fs.fchmodSync(fd, MODES[mode])
    } finally {
      fs.closeSync(fd)
    }
    fs.renameSync(part, `${this.#dir}/${name}`)
  }
}

function hashStart (fd, bytes, digest) {
  const room = Buffer.allocUnsafe(2 ** 20)
  for (let at = 0; at < bytes;) {
    const count = fs.readSync(fd, room, 0, Math.min(room.length, bytes - at), at)
    if (count === 0) return
    digest.update(room.subarray(0, count))
    at += count
  }
}

const changed = name => new DeployError('UC_DEPLOY_CHANGED', `'${name}' arrived with another content than the one it had at the beginning`,
  { hint: 'it was changed during the upload: run the same command again', details: { path: name } })

const outOfStep = () => new DeployError('UC_DEPLOY_PROTOCOL', 'what arrived is not what was agreed upon')

const ops = {
  /** Answers at once: how long the way is. */
  'upload.ping': async () => null,

  /**
   * { id, items, isFirst } and the contents as payload -> { files, bytes }
   * received; tells { received: { files, bytes } } meanwhile. Runs without the
   * lock too: several agents may receive different items of one release, and the
   * first of them announces the stage.
   */
  'upload.files': async ({ id, items, isFirst = false }, ctx) => {
    if (!isFirst) return receive(id, items, ctx)
    await ctx.stage('transfer')
    return audited(ctx, id, () => receive(id, items, ctx))
  }
}

async function receive (id, items, ctx) {
  const { app } = ctx
  if (!releases.isId(id) || releases.find(app, id)) throw outOfStep()
  const { files } = begun.get(id)?.manifest ?? releases.manifestOf(app, id)
  const receiver = new ContentReceiver({ dir: app.release(id), parts: releases.partsOf(app, id), files, items })
  let told = Date.now()
  try {
    for await (const chunk of ctx.payload) {
      receiver.push(chunk)
      if (Date.now() - told < TELL_MS) continue
      told = Date.now()
      ctx.event({ received: receiver.done })
    }
  } finally {
    receiver.close()
  }
  if (!receiver.isComplete) throw outOfStep()
  return receiver.done
}

module.exports = { ops, ContentReceiver }
