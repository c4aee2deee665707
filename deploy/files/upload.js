'use strict'

// Step one on one host: what it lacks of a release travels there, everything is
// verified, and the release is marked as complete.

const fs = require('node:fs')
const { manifestFor } = require('./manifest')
const { DeployError } = require('../errors')
const { MAX_PAYLOAD } = require('../frames')

// A further agent costs a start; what one channel can have under way at a time
// is a window of 2 MiB (RFC 4254, section 5.2; OpenSSH's default), so it is worth
// one only where the way is long and there is much to send.
const FAR_MS = 20
const MUCH_BYTES = 16 * 2 ** 20
const STREAMS = 4
const COMPARE_MS = 300_000
const ATTEMPTS = 2 // of contents that are found damaged at the end

/**
 * Uploads a release through an open session.
 *
 * @param {object} session of session.js, with the host's lock
 * @param {object} tree what `survey` returned
 * @param {object} view the host's part of the configuration
 * @param {object} [options] { force, env: text of the environment file or null,
 *   signal, onEvent: called with { stage }, { log: line of a command } and
 *   { progress: { files, bytes, ofFiles, ofBytes } } }
 * @returns {Promise<object>} { id, unchanged: true } or { id, resumed, files,
 *   bytes, sent: { files, bytes }, linked: { files, bytes }, removed: [id…] }
 */
async function uploadTo (session, tree, view, options = {}) {
  const { force = false, env = null, signal, onEvent = () => {} } = options
  const { text } = manifestFor(tree, view)
  const begun = await session.call('upload.begin', { force, env }, {
    payload: pieces(Buffer.from(text)), timeoutMs: COMPARE_MS, signal, onEvent
  })
  if (begun.unchanged) return { id: begun.id, unchanged: true, at: begun.at }

  const { id, resumed, here, lacking } = begun
  let wanted = begun.missing
  let ended
  for (let attempt = 1; ; attempt++) {
    if (wanted.length) {
      await transfer(session, tree, id, wanted, { signal, onEvent })
    }
    // The commands that run there have deadlines of their own.
    ended = await session.call('upload.finish', { id, isLast: attempt === ATTEMPTS }, { signal, onEvent })
    if (!ended.again) break
    wanted = ended.again
  }
  const { files, bytes, removed } = ended
  return { id, resumed, files, bytes, sent: lacking, linked: here, removed }
}

/** Sends contents, through several agents where that pays. */
async function transfer (session, tree, id, wanted, { signal, onEvent }) {
  const bytes = wanted.reduce((sum, [index, have]) => sum + tree.files[index][1] - have, 0)
  const streams = await furtherStreams(session, bytes)
  const agents = [session, ...streams]
  const done = agents.map(() => ({ files: 0, bytes: 0 }))
  const tell = () => onEvent({
    progress: {
      files: done.reduce((sum, { files }) => sum + files, 0),
      bytes: done.reduce((sum, { bytes }) => sum + bytes, 0),
      ofFiles: wanted.length,
      ofBytes: bytes
    }
  })
  try {
    await Promise.all(shares(tree, wanted, bytes, agents.length).map(async (items, i) => {
      done[i] = await agents[i].call('upload.files', { id, items, isFirst: i === 0 }, {
        payload: contents(tree, items),
        signal,
        onEvent: event => {
          if (!event.received) return onEvent(event)
          done[i] = event.received
          tell()
        }
      })
      tell()
    }))
  } finally {
    await Promise.all(streams.map(stream => stream.close()))
  }
}

async function furtherStreams (session, bytes) {
  if (bytes < MUCH_BYTES) return []
  const before = performance.now()
  await session.call('upload.ping')
  if (performance.now() - before < FAR_MS) return []
  const asked = await Promise.allSettled(Array.from({ length: STREAMS - 1 }, () => session.openStream()))
  // A server that allows fewer channels (MaxSessions) is served with fewer.
  return asked.filter(({ status }) => status === 'fulfilled').map(({ value }) => value)
}

/** Neighbours stay together; the shares have about the same number of bytes. */
function shares (tree, wanted, bytes, count) {
  const out = Array.from({ length: count }, () => [])
  let sum = 0
  for (const item of wanted) {
    out[Math.min(count - 1, Math.floor(sum / (bytes + 1) * count))].push(item)
    sum += tree.files[item[0]][1] - item[1]
  }
  return out
}

/**
 * The bytes of the items one after the other, in pieces of a frame's size: many
 * small files travel in one.
 */
function * contents ({ source, files }, items) {
  let room = Buffer.allocUnsafe(MAX_PAYLOAD)
  let used = 0
  for (const [index, have] of items) {
    const [name, size] = files[index]
    if (size === have) continue
    const fd = openFile(`${source}/${name}`, name)
    try {
      for (let at = have; at < size;) {
        const count = fs.readSync(fd, room, used, Math.min(size - at, room.length - used), at)
        if (count === 0) throw changed(name)
        at += count
        used += count
        if (used < room.length) continue
        yield room
        // The one before is still on its way.
        room = Buffer.allocUnsafe(MAX_PAYLOAD)
        used = 0
      }
    } finally {
      fs.closeSync(fd)
    }
  }
  if (used) yield room.subarray(0, used)
}

function openFile (file, name) {
  try {
    return fs.openSync(file, 'r')
  } catch (err) {
    if (err.code === 'ENOENT') throw changed(name)
    throw new DeployError('UC_DEPLOY_SOURCE', `'${name}' cannot be read (${err.code})`, { cause: err, stage: 'transfer' })
  }
}

const changed = name => new DeployError('UC_DEPLOY_CHANGED', `'${name}' was changed during the upload`, {
  hint: 'run the same command again', stage: 'transfer', details: { path: name }
})

function * pieces (bytes) {
  for (let at = 0; at < bytes.length; at += MAX_PAYLOAD) yield bytes.subarray(at, at + MAX_PAYLOAD)
}

module.exports = { uploadTo }
