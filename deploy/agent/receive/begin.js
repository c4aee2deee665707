'use strict'

// The beginning of an upload: what the host has already of a release, by content.
// The folder of the release is made, with links to the same files of earlier
// ones; what is missing is the answer.

const fs = require('node:fs')
const path = require('node:path')
const manifests = require('../host/manifest')
const proc = require('../host/proc')
const releases = require('../host/releases')
const { DeployError } = require('../../errors')
const { writeAtomic, removeTree } = require('../host/disk')
const { within } = require('../host/wait')

// A file of some size may arrive in several attempts: what has come of it stays.
const PART = /^([0-9a-f]{64})\.part$/
// Reading the manifest of one more release takes as long as receiving this much.
const WORTH_LOOKING = 2 ** 20
const SPARE_BYTES = 16 * 2 ** 20
const END_MS = 10_000 // of what an agent that was killed had started
const MODES = [0o444, 0o555]

/**
 * Finds or makes the release that is to be filled.
 *
 * @param {object} app the paths of this host
 * @param {string} text the manifest
 * @param {{ force?: boolean, env?: string | null }} options `env`: the text of
 *   the environment file
 * @returns {Promise<object>} { unchanged: true, id, at } when the newest release is the
 *   same, or { id, resumed, manifest, missing: [[index, bytes that are here]…],
 *   twins: [[index, index of the same content]…], here: { files, bytes },
 *   lacking: { files, bytes } }
 */
async function begin (app, text, { force = false, env = null } = {}) {
  const manifest = manifests.parse(text)
  for (const dir of [app.releases, app.marks, app.shared]) fs.mkdirSync(dir, { recursive: true })
  const newest = releases.newest(app)
  if (!force && newest && newest.manifest === manifest.hash && isSame(app, newest.id, env)) {
    return { unchanged: true, id: newest.id, at: newest.at }
  }
  releases.sweep(app)
  const unfinished = releases.all(app).find(id => !releases.find(app, id) && hashOf(app, id) === manifest.hash)
  const id = unfinished ?? releases.newId(app, manifest.hash)
  const dir = app.release(id)
  const parts = releases.partsOf(app, id)
  if (unfinished) {
    // Without its mark it counts as incomplete whatever else is there.
    fs.rmSync(app.mark(id), { force: true })
    await endWork(dir)
  } else {
    writeAtomic(app.manifest(id), text, { sync: false })
  }
  fs.mkdirSync(dir, { recursive: true })
  fs.mkdirSync(parts, { recursive: true })
  putEnv(app, id, env)

  const there = unfinished ? keepSound(dir, manifest) : new Set()
  makeFolders(dir, manifest)
  for (const [name, target] of manifest.links) {
    if (!there.has(name)) fs.symlinkSync(target, path.join(dir, name))
  }
  const wanted = linked(app, id, manifest, there)
  const found = { id, resumed: Boolean(unfinished), manifest, ...askFor(manifest, wanted, parts) }
  checkRoom(app, found)
  return found
}

/**
 * An installation goes on when its agent is killed, and two of them in one folder would spoil it unseen: what
 * a command has made is in no manifest. No service runs in a release that is not complete.
 */
async function endWork (dir) {
  for (const one of proc.within(dir)) proc.signal(one, 'SIGKILL')
  if (await within(END_MS, () => proc.within(dir).length === 0)) return
  throw new DeployError('UC_DEPLOY_STUCK', `processes of an interrupted upload still work in ${dir} after SIGKILL`, { details: { pids: proc.within(dir).map(({ pid }) => pid) } })
}

/** The same files, undamaged as far as that is seen without reading, and the same environment. */
function isSame (app, id, env) {
  return releases.quick(app, id).bad.length === 0 && readText(releases.envOf(app, id)) === env
}

function putEnv (app, id, env) {
  const file = releases.envOf(app, id)
  if (env === null) fs.rmSync(file, { force: true })
  else writeAtomic(file, env, { mode: 0o600 })
}

function readText (file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch (err) {
    if (err.code === 'ENOENT') return null
    throw err
  }
}

/** The hash of a release that is not complete; its manifest is checked by whoever uses more of it. */
function hashOf (app, id) {
  return /^\{"hash":"([0-9a-f]{64})"/.exec(readText(app.manifest(id)) ?? '')?.[1]
}

/**
 * Removes from the folder of an interrupted upload what does not belong there:
 * what an install command has made, and files of another size or mode.
 *
 * @returns {Set<string>} paths of the files and links that may stay
 */
function keepSound (dir, manifest) {
  const files = new Map(manifest.files.map(file => [file[0], file]))
  const links = new Map(manifest.links)
  const folders = foldersOf(manifest)
  const sound = new Set()
  const look = (folder, prefix) => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const name = prefix + entry.name
      const full = `${folder}/${entry.name}`
      if (entry.isDirectory() && folders.has(name)) look(full, `${name}/`)
      else if (entry.isSymbolicLink() && links.get(name) === fs.readlinkSync(full)) sound.add(name)
      else if (entry.isFile() && files.has(name) && isRight(fs.lstatSync(full), files.get(name))) sound.add(name)
      else removeTree(full)
    }
  }
  look(dir, '')
  return sound
}

const isRight = (seen, [, size, mode]) => seen.size === size && (seen.mode & 0o7777) === MODES[mode]

function foldersOf ({ files, links }) {
  const folders = new Set()
  for (const [name] of [...files, ...links]) {
    for (let i = name.lastIndexOf('/'); i > 0; i = name.lastIndexOf('/', i - 1)) {
      const folder = name.slice(0, i)
      if (folders.has(folder)) break
      folders.add(folder)
    }
  }
  return folders
}

function makeFolders (dir, manifest) {
  for (const folder of [...foldersOf(manifest)].sort()) {
    try {
      fs.mkdirSync(`${dir}/${folder}`, 0o755)
    } catch (err) {
      if (err.code !== 'EEXIST') throw err
    }
  }
}

/**
 * Links what other releases have, and returns the places of what is missing yet.
 * The content of what was linked is verified with all the rest at the end.
 */
function linked (app, id, manifest, there) {
  let wanted = manifest.files.flatMap(([name], index) => there.has(name) ? [] : [index])
  for (const other of donors(app, id)) {
    if (wanted.length === 0) break
    const have = filesOf(app, other)
    const from = app.release(other)
    const to = app.release(id)
    wanted = wanted.filter(index => {
      const [name, , mode, hash] = manifest.files[index]
      const source = have.get(`${mode}${hash}`)
      return source === undefined || !link(`${from}/${source}`, `${to}/${name}`, MODES[mode])
    })
    if (wanted.reduce((sum, index) => sum + manifest.files[index][1], 0) < WORTH_LOOKING) break
  }
  return wanted
}

/** The complete releases, the newest first, then what has arrived of others. */
function donors (app, id) {
  const complete = releases.complete(app).map(mark => mark.id)
  return [...complete, ...releases.all(app).filter(other => other !== id && !complete.includes(other))]
}

/** 'mode and sha256' -> path in a release. */
function filesOf (app, id) {
  const found = new Map()
  try {
    for (const [name, , mode, hash] of manifests.read(readText(app.manifest(id)) ?? '').files) found.set(`${mode}${hash}`, name)
  } catch (err) {
    // What its manifest says is not known: nothing is taken from it.
    if (err.code !== 'UC_DEPLOY_MANIFEST') throw err
  }
  return found
}

/** -> whether the file is there now. */
function link (from, to, mode) {
  try {
    fs.linkSync(from, to)
    return true
  } catch (err) {
    if (err.code === 'ENOENT') return false
    // Too many links, a file of another user, or a file system without links.
    if (!['EMLINK', 'EPERM', 'EACCES', 'EXDEV', 'ENOTSUP', 'EOPNOTSUPP'].includes(err.code)) throw err
  }
  return copy(from, to, mode)
}

function copy (from, to, mode) {
  try {
    if (!fs.lstatSync(from).isFile()) return false
    fs.copyFileSync(from, to, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE)
    fs.chmodSync(to, mode)
    return true
  } catch (err) {
    fs.rmSync(to, { force: true })
    if (err.code === 'ENOENT' || err.code === 'EACCES') return false
    throw err
  }
}

/** Each content once, with what has arrived of it before. */
function askFor (manifest, wanted, parts) {
  const arrived = partsIn(parts)
  const first = new Map()
  const missing = []
  const twins = []
  const lacking = { files: 0, bytes: 0 }
  for (const index of wanted) {
    const [, size, , hash] = manifest.files[index]
    if (first.has(hash)) {
      twins.push([index, first.get(hash)])
      continue
    }
    first.set(hash, index)
    const have = Math.min(arrived.get(hash) ?? 0, size)
    missing.push([index, have])
    lacking.files++
    lacking.bytes += size - have
  }
  for (const hash of arrived.keys()) {
    if (!first.has(hash)) fs.rmSync(`${parts}/${hash}.part`, { force: true })
  }
  const bytes = manifest.files.reduce((sum, [, size]) => sum + size, 0)
  const away = wanted.reduce((sum, index) => sum + manifest.files[index][1], 0)
  return { missing, twins, lacking, here: { files: manifest.files.length - wanted.length, bytes: bytes - away } }
}

/** sha256 -> bytes of what has begun to arrive; anything else there is removed. */
function partsIn (parts) {
  const found = new Map()
  for (const name of fs.readdirSync(parts)) {
    const [, hash] = PART.exec(name) ?? []
    if (hash) found.set(hash, fs.statSync(`${parts}/${name}`).size)
    else removeTree(`${parts}/${name}`)
  }
  return found
}

/** Tells of a disk that is too small before anything is sent. */
function checkRoom (app, { lacking, twins, manifest }) {
  const { bsize, bavail, files, ffree } = fs.statfsSync(app.releases)
  const copies = twins.reduce((sum, [index]) => sum + manifest.files[index][1], 0)
  const need = lacking.bytes + copies + lacking.files * bsize + SPARE_BYTES
  const room = bsize * bavail
  if (need > room) {
    throw new DeployError('UC_DEPLOY_DISK', `the release needs ${mebibytes(need)} more on the disk of ${app.releases}, and ${mebibytes(room)} are free`,
      { details: { need, room } })
  }
  if (files > 0 && ffree < lacking.files + twins.length) {
    throw new DeployError('UC_DEPLOY_DISK', `the release needs ${lacking.files + twins.length} more files on the disk of ${app.releases}, and it has room for ${ffree}`,
      { details: { files: lacking.files, room: ffree } })
  }
}

const mebibytes = bytes => `${Math.ceil(bytes / 2 ** 20)} MiB`

/** The whole of a payload as text. */
async function textFrom (payload, most) {
  const chunks = []
  let size = 0
  for await (const chunk of payload) {
    size += chunk.length
    if (size > most) throw new DeployError('UC_DEPLOY_MANIFEST', `the manifest has more than ${most} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size).toString()
}

/** Does a part of an upload; its failure is written down. A disk that is full has no room for that line either. */
async function audited (ctx, release, work) {
  try {
    return await work()
  } catch (err) {
    await ctx.audit('upload', 'failed', { release, code: err.code }).catch(() => {})
    throw err
  }
}

// What this agent has begun: the end of an upload is the same session's.
const begun = new Map()

const ops = {
  /** { force, env } and the manifest as payload -> what `begin` says, without the manifest. */
  'upload.begin': async ({ force, env }, ctx) => {
    await ctx.stage('compare')
    const found = await audited(ctx, null, async () => {
      const text = await textFrom(ctx.payload, manifests.MOST_BYTES)
      return begin(ctx.app, text, { force, env })
    })
    if (found.unchanged) await ctx.audit('upload', 'ok', { release: found.id, changed: false }).catch(() => {})
    else begun.set(found.id, found)
    return { ...found, manifest: undefined, twins: undefined }
  }
}

module.exports = { ops, audited, begin, begun, copy, link, foldersOf, textFrom, MODES }
