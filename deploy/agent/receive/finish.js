'use strict'

// The end of an upload: what it brought is completed, verified and made durable,
// and only then marked as complete.

const fs = require('node:fs')
const { execFile } = require('node:child_process')
const { promisify } = require('node:util')
const releases = require('../host/releases')
const { audited, begun, copy, foldersOf, link, MODES } = require('./begin')
const { check } = require('../host/verify')
const { prepare } = require('./install')
const { removeTree, writeAtomic } = require('../host/disk')
const { DeployError } = require('../../errors')

const MOST_NAMED = 20 // of the files in an error, and of what an install has made
const SYNC_MS = 600_000

/**
 * Completes a release that this agent has begun.
 *
 * @returns {Promise<object>} the mark, with `removed`; or { again: [[index, 0]…] },
 *   contents that are not what they should be and have to be sent once more
 */
async function finish (ctx, { id, isLast }) {
  const { app } = ctx
  const { manifest, twins } = begun.get(id) ?? missing(id)
  const dir = app.release(id)
  fillTwins(dir, manifest, twins)
  removeTree(releases.partsOf(app, id))
  const ran = await prepare(ctx, id)

  await ctx.stage('verify')
  const { files, bytes, bad } = await check(dir, manifest, ctx.signal)
  if (bad.length) {
    if (isLast) throw damaged(bad, ran)
    return { again: removeBad(app, id, manifest, bad) }
  }
  const made = strangers(dir, manifest)
  if (made.length && ran.length === 0) {
    throw new DeployError('UC_DEPLOY_VERIFY', `the release has files that were not sent: ${some(made)}`,
      { hint: 'somebody else writes into its folder; run the same command again' })
  }

  await ctx.stage('complete')
  ctx.signal.throwIfAborted()
  await syncAll(app)
  const mark = {
    id,
    manifest: manifest.hash,
    at: new Date().toISOString(),
    who: ctx.who,
    files,
    bytes,
    ran,
    made: made.slice(0, MOST_NAMED)
  }
  writeAtomic(app.mark(id), `${JSON.stringify(mark)}\n`)
  begun.delete(id)

  // The release is complete: what is left of the work has no say in that.
  await ctx.stage('prune')
  const removed = releases.prune(app, { keep: ctx.config.keep, except: [id] }, (warning) => ctx.event({ warning }))
  await ctx.audit('upload', 'ok', { release: id, files, bytes, removed })
  return { ...mark, removed }
}

function missing (id) {
  throw new DeployError('UC_DEPLOY_PROTOCOL', `the upload of ${id} was not begun in this session`)
}

/** The same content under several names is sent once. */
function fillTwins (dir, { files }, twins) {
  for (const [index, first] of twins) {
    const [name, , mode] = files[index]
    const [source, , other] = files[first]
    const [from, to] = [`${dir}/${source}`, `${dir}/${name}`]
    if (fs.existsSync(to)) continue
    if (mode === other) link(from, to, MODES[mode])
    else copy(from, to, MODES[mode])
  }
}

function removeBad (app, id, { files, links }, bad) {
  const places = new Map(files.map(([name], index) => [name, index]))
  const targets = new Map(links)
  fs.mkdirSync(releases.partsOf(app, id), { recursive: true })
  return bad.flatMap(({ path }) => {
    const full = `${app.release(id)}/${path}`
    removeTree(full)
    if (places.has(path)) return [[places.get(path), 0]]
    fs.symlinkSync(targets.get(path), full)
    return []
  })
}

function damaged (bad, ran) {
  const [first] = bad
  return new DeployError('UC_DEPLOY_VERIFY', `${bad.length} ${bad.length === 1 ? 'file is' : 'files are'} not as the manifest has them; ${first.path}: ${first.why}`, {
    lines: bad.slice(0, MOST_NAMED).map(({ path, why }) => `${path}: ${why}`),
    hint: ran.length
      ? `'${ran[0].command}' must not change what was uploaded; what it writes belongs into \`ignore\``
      : 'the disk or the memory of the host may be damaged: look at its kernel log'
  })
}

/** What is in the folder and not in the manifest, by its topmost names. */
function strangers (dir, manifest) {
  const known = new Set([...manifest.files, ...manifest.links].map(([name]) => name))
  const folders = foldersOf(manifest)
  const found = []
  const look = (folder, prefix) => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const name = prefix + entry.name
      if (entry.isDirectory() && folders.has(name)) look(`${folder}/${entry.name}`, `${name}/`)
      else if (!known.has(name)) found.push(name)
    }
  }
  look(dir, '')
  return found
}

const some = names => `${names.slice(0, MOST_NAMED).join(', ')}${names.length > MOST_NAMED ? ', …' : ''}`

/**
 * All of the release on the disk: syncfs(2) is one call for thousands of files,
 * and what the runtime has is one fsync(2) for each.
 */
async function syncAll (app) {
  const run = promisify(execFile)
  try {
    await run('sync', ['-f', app.releases], { timeout: SYNC_MS })
    if (fs.statSync(app.releases).dev !== fs.statSync(app.marks).dev) await run('sync', ['-f', app.marks], { timeout: SYNC_MS })
  } catch (err) {
    throw new DeployError('UC_DEPLOY_DISK', `the release could not be brought to the disk: ${err.message.trim()}`, { cause: err })
  }
}

const ops = {
  /** { id, isLast } -> what `finish` says. */
  'upload.finish': (args, ctx) => audited(ctx, args.id, () => finish(ctx, args))
}

module.exports = { ops, finish }
