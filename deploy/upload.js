'use strict'

// Step one: build here, upload to every host, verify there.

const fs = require('node:fs')
const { setImmediate: turn } = require('node:timers/promises')
const { survey } = require('./files/manifest')
const { uploadTo } = require('./files/upload')
const { choose, eachHost, tell } = require('./hosts')
const { hookHere, runHere } = require('./here')
const { DeployError } = require('./errors')
const { bytes } = require('../lib/base/format')

const ENV_BYTES = 2 ** 20

/**
 * @param {object} config of load()
 * @param {object} options { host: [name…], force, order }
 * @param {object} io { report, signal, who, ask, openSession }
 * @returns {Promise<{ host, value }[]>} what uploadTo says of each host
 */
async function upload (config, options, io) {
  const { report } = io
  await hookHere(config, 'beforeUpload', { action: 'upload' }, io)
  if (config.build && config.build.where === 'here') {
    report.stage(null, 'build')
    await runHere(config.build, config, io, { stage: 'build', code: 'UC_DEPLOY_BUILD' })
  }
  // All that can be wrong here is found before a host is touched; reading the
  // files goes on while the connection is made.
  const environments = new Map(choose(config, options.host).map(i => [i, readEnvironment(config.forHost(i).env.file)]))
  report.stage(null, 'read')
  // In the next turn: by then the connection is on its way.
  const tree = turn().then(() => survey(config))
  tree.catch(() => {}) // whoever needs it hears of it
  const results = await eachHost(config, options, io, async ({ session, call, view, index, host }) => {
    const isThere = name => view.hooks[name]?.where === 'there'
    if (isThere('beforeUpload')) await call('upload.hook', { name: 'beforeUpload' })
    const value = await uploadTo(session, await tree, view, {
      force: options.force,
      env: environments.get(index),
      signal: io.signal,
      onEvent: event => tell(report, host, event)
    })
    report.say(host, inWords(value))
    if (isThere('afterUpload')) await call('upload.hook', { name: 'afterUpload', release: value.id })
    return value
  })
  await hookHere(config, 'afterUpload', { action: 'upload', releases: releasesOf(results) }, io)
  return results
}

function readEnvironment (file) {
  if (!file) return null
  try {
    const text = fs.readFileSync(file, 'utf8')
    if (Buffer.byteLength(text) <= ENV_BYTES) return text
  } catch (cause) {
    throw new DeployError('UC_DEPLOY_SOURCE', `the environment file ${file} cannot be read (${cause.code})`, { cause, hint: 'look at env.file; nothing has been changed' })
  }
  throw new DeployError('UC_DEPLOY_SOURCE', `the environment file ${file} is larger than ${ENV_BYTES} bytes`)
}

function inWords ({ id, unchanged, resumed, files, sent, linked, removed }) {
  if (unchanged) return `nothing changed: release ${id} is complete and the same`
  return `release ${id} is complete: ${files} files, ${sent.files} sent (${bytes(sent.bytes)}), ${linked.files} were there` +
    `${resumed ? ', resumed' : ''}${removed.length ? `; removed ${removed.join(', ')}` : ''}`
}

const releasesOf = results => Object.fromEntries(results.map(({ host, value }) => [host, value.id]))

module.exports = { upload }
