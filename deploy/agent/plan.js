'use strict'

// What a deployment would find and do on this host. Reads only, makes no folder, and takes no lock.

const crypto = require('node:crypto')
const fs = require('node:fs')
const manifests = require('./host/manifest')
const releases = require('./host/releases')
const { textFrom } = require('./receive/begin')
const { serves } = require('./start/serves')
const { status } = require('./status')

/**
 * @param {object} args
 * @param {string|null} args.env     sha256 of the environment file that would come
 * @param {string|null} args.gateway sha256 of the gateway's file that would come
 * @param {object} ctx its payload is the manifest
 * @returns {Promise<object>} what deploy/plan.js shows
 */
async function plan ({ env, gateway }, ctx) {
  const { app, config } = ctx
  const manifest = manifests.parse(await textFrom(ctx.payload, manifests.MOST_BYTES))
  const now = await status(ctx)
  const newest = releases.newest(app)
  const isSame = newest !== null && newest.manifest === manifest.hash && hashOf(releases.envOf(app, newest.id)) === env
  const unfinished = now.incomplete.find((id) => manifestHash(app, id) === manifest.hash) ?? null
  return {
    status: now,
    same: isSame ? newest.id : null,
    resumes: isSame ? null : unfinished,
    send: lacking(app, manifest, [...now.releases.map(({ id }) => id), ...now.incomplete]),
    files: manifest.files.length,
    serves: isSame && now.damage === null && serves(ctx, newest.id),
    ports: portsOf(app, config, now),
    gateway: config.gateway && { to: config.gateway.to, changes: hashOf(config.gateway.to) !== gateway },
    writable: isWritable(app.folder)
  }
}

// { files, bytes } that none of the releases has, each content once, with the paths of the largest.
function lacking (app, manifest, ids) {
  const have = new Set()
  for (const id of ids) {
    try {
      for (const [, , , hash] of releases.manifestOf(app, id).files) have.add(hash)
    } catch (err) {
      // What it holds is not known: nothing would be taken from it.
      if (err.code !== 'UC_DEPLOY_MANIFEST') throw err
    }
  }
  const sent = manifest.files.filter(([, , , hash]) => !have.has(hash) && have.add(hash))
  const largest = [...sent].sort((a, b) => b[1] - a[1]).slice(0, 10)
  return { files: sent.length, bytes: sent.reduce((sum, [, size]) => sum + size, 0), largest: largest.map(([path, size]) => ({ path, size })) }
}

/** The port for each instance, and who has it that is not of the application. */
function portsOf (app, config, { active }) {
  const { choose } = require('./start/ports')
  const { listenerOn } = require('./host/listeners')
  const { ofSlot } = require('./host/proc')
  const { all } = require('./launcher/slots')
  // What an interrupted deployment has left is ended before anything is started.
  const own = new Set(all(app).flatMap((slot) => ofSlot(slot)).map(({ pid }) => pid))
  return choose(config, active).map((port) => {
    const found = listenerOn(port)
    return { port, taken: found && !own.has(found.pid) ? { pid: found.pid, command: found.command, uid: found.uid } : null }
  })
}

function hashOf (file) {
  try {
    return crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex')
  } catch (err) {
    if (err.code === 'ENOENT') return null
    throw err
  }
}

function manifestHash (app, id) {
  try {
    return releases.manifestOf(app, id).hash
  } catch (err) {
    if (err.code !== 'UC_DEPLOY_MANIFEST') throw err
    return null
  }
}

/** Whether the folder can be written, or made: of the nearest parent that is there. */
function isWritable (folder) {
  for (let place = folder; ; place = place.replace(/\/[^/]*$/, '') || '/') {
    try {
      fs.accessSync(place, fs.constants.W_OK | fs.constants.X_OK)
      return true
    } catch (err) {
      if (err.code !== 'ENOENT' || place === '/') return false
    }
  }
}

const ops = { plan }

module.exports = { ops }
