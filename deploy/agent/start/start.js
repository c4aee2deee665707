'use strict'

// Step two: a complete release is started beside the one that serves, proves itself, gets the traffic, and
// the one before drains. Until the switch every failure leaves the host as it was; after it the release
// before is still there to go back to, until the watch is over.

const fs = require('node:fs')
const daemon = require('./daemon')
const env = require('./env')
const gateway = require('./gateway')
const ports = require('./ports')
const releases = require('../host/releases')
const routes = require('./routes')
const slots = require('../launcher/slots')
const { DeployError } = require('../../errors')
const { clean } = require('./clean')
const { announce, choose, launch, launcherOf } = require('../launcher/index')
const { drain, settle, undo } = require('./drain')
const { healthy } = require('./health')
const { hook } = require('./hooks')
const { migrate } = require('./migrate')
const { readState, writeState } = require('../host/state')
const { recover } = require('./recover')
const { serves } = require('./serves')
const { reached, switchTo } = require('../host/switch')
const { placesOf, refuseDead, refuseListeners, watch } = require('./watch')

/**
 * @param {object} args
 * @param {string} [args.release]  id; default: the newest complete one, with `back` the one that served before
 * @param {boolean} [args.back]    a rollback: verified in full, no migrations
 * @param {boolean} [args.verify]  compare every file with the manifest by content
 * @param {boolean} [args.force]   start it anew although it serves already
 * @param {boolean} [args.migrate] whether migrations run here
 * @param {string} [args.gateway]  the gateway's file
 * @returns {Promise<object>} { release, before, changed, gateway: whether its file was, recovered,
 *   instances: [{ port, pid }], daemon: 'none'|'unchanged'|'started'|'replaced', drained, removed, ms }
 */
async function start (args, ctx) {
  const action = args.back ? 'rollback' : 'start'
  const began = performance.now()
  let release = args.release ?? null
  try {
    const recovered = await recover(ctx)
    await ctx.stage('check')
    release = await chosen(args, ctx)
    const before = readState(ctx.app.state).active?.release ?? null
    const result = { release, before, recovered, ...await bring(release, args, ctx), ms: Math.round(performance.now() - began) }
    await note(ctx, action, 'ok', { release, before, changed: result.changed, ms: result.ms, daemon: result.daemon, drained: result.drained })
    return result
  } catch (err) {
    await note(ctx, action, 'failed', { release, code: err.code, error: err.message })
    throw err
  }
}

// A disk that is full of something else must not make a start fail that is over, nor hide why it failed.
async function note (ctx, action, result, more) {
  await ctx.audit(action, result, more).catch((err) => ctx.event({ warning: `there is no line in the audit log: ${err.message}` }))
}

// Which release, and that it may be started.
async function chosen ({ release, back, verify }, { app }) {
  const id = release ?? (back ? backFrom(app) : releases.newest(app)?.id)
  if (id === undefined || id === null) {
    throw new DeployError('UC_DEPLOY_NO_RELEASE', back ? 'there is no release before the one that serves' : 'there is no complete release on this host', {
      hint: back ? 'name one of those that deploy:status shows: deploy:rollback <release>' : 'upload one first: npm run deploy:upload'
    })
  }
  if (releases.find(app, id) === null) {
    const kept = releases.complete(app).map((mark) => mark.id)
    throw new DeployError('UC_DEPLOY_INCOMPLETE', `release ${id} is not complete on this host`, {
      hint: kept.length === 0 ? 'finish its upload: npm run deploy:upload' : `finish its upload (npm run deploy:upload), or take one of those that are complete: ${kept.join(', ')}`
    })
  }
  const { bad } = await (back || verify ? releases.verify(app, id) : releases.quick(app, id))
  if (bad.length > 0) {
    throw new DeployError('UC_DEPLOY_DAMAGED', `release ${id} is not what was uploaded: ${bad.length === 1 ? 'one file differs' : `${bad.length} files differ`} from its manifest`, {
      lines: bad.slice(0, 20).map(({ path, why }) => `${path}: ${why}`),
      hint: 'upload it again (npm run deploy:upload -- --force), or start another release'
    })
  }
  return id
}

// The release that served before, or else the newest complete one that is older than what serves. What a
// rollback has brought stays: the same command again, after an interruption or for another host, must not
// lead back to what was left.
function backFrom (app) {
  const { active, previous } = readState(app.state)
  if (active?.back === true) return active.release
  if (previous !== null && releases.find(app, previous) !== null) return previous
  return releases.complete(app).find(({ id }) => active !== null && id < active.release)?.id
}

async function bring (release, args, ctx) {
  const { app, config } = ctx
  const { active } = readState(app.state)
  if (!args.force && serves(ctx, release)) {
    // The gateway may have been led elsewhere by hand, or before a power cut.
    if (active.mode === 'socket' && reached(app, active) !== 'all') switchTo(app, active)
    return { changed: false, gateway: await putGateway(ctx, args), instances: instancesOf(active), daemon: 'unchanged', drained: [], removed: [] }
  }
  const variables = env.of(app, release)
  const side = { ...slots.sideOf(ctx, release, ports.choose(config, active), choose(ctx), variables), ...(args.back && { back: true }) }
  const place = { env: slots.environment(ctx, release, variables), cwd: app.release(release) }
  const commands = async (when) => args.back || args.migrate === false ? undefined : migrate(ctx, when, place)
  ports.refuseTaken(side.instances.map(({ port }) => port))
  const changedGateway = await putGateway(ctx, args)
  await hook(ctx, 'beforeStart', place)
  const beside = await daemon.bring(ctx, release)
  await commands('before-start')
  try {
    await prove(ctx, side, variables, () => commands('before-switch'))
    await letIn(ctx, side, place)
  } catch (err) {
    await giveUp(ctx, side, err)
  }
  await ctx.stage('settle')
  await settle(ctx)
  try {
    await ctx.stage('drain')
    const drained = await drain(ctx)
    await daemon.retire(ctx)
    await ctx.stage('clean')
    const removed = clean(ctx)
    await hook(ctx, 'afterStart', place)
    return { changed: true, gateway: changedGateway, instances: instancesOf(side), daemon: beside, drained, removed }
  } catch (err) {
    err.message += `; ${release} serves all the same`
    throw err
  }
}

// -> whether it was another file.
async function putGateway (ctx, { gateway: text }) {
  if (text === undefined || !ctx.config.gateway) return false
  await begin(ctx, 'gateway')
  return gateway.apply(ctx, text)
}

// A stage before the switch: not for a deployer that is gone, or has changed its mind.
async function begin (ctx, stage) {
  await ctx.stage(stage)
  ctx.signal.throwIfAborted()
}

// Launches the release where nobody reaches it, and waits for its health.
async function prove (ctx, side, variables, migrations) {
  const { app, config, signal } = ctx
  await begin(ctx, 'launch')
  // The journal first: whatever is started now is found by the next agent.
  writeState(app.state, { ...readState(app.state), pending: side })
  slots.write(ctx, side, variables)
  await launch(ctx, side)
  await ctx.stage('health')
  const reason = await healthy(placesOf(app, side), config.health, async () => {
    signal.throwIfAborted()
    await refuseDead(side)
  })
  if (reason !== null) {
    throw new DeployError('UC_DEPLOY_UNHEALTHY', `the release was not healthy within ${config.health.timeoutMs} ms: ${reason}`)
  }
  if (side.mode === 'socket') for (const { socket } of side.instances) fs.chmodSync(socket, config.socketMode)
  await ctx.stage('listeners')
  refuseListeners(side)
  await migrations()
}

// From here on the deployer may be lost: what serves is for the agent to decide.
async function letIn (ctx, side, place) {
  const { app } = ctx
  await begin(ctx, 'switch')
  await refuseDead(side)
  await announce(ctx, side)
  writeState(app.state, { ...readState(app.state), pending: { ...side, switched: true } })
  await routes.lead(ctx, side)
  if (side.mode === 'socket') switchTo(app, side)
  ctx.event({ switched: side.release })
  await hook(ctx, 'afterSwitch', place)
  await ctx.stage('watch')
  await watch(ctx, side)
}

// The last words of the release are read before it is gone with its slot.
async function giveUp (ctx, side, err) {
  const launcher = launcherOf(side)
  const lines = err.lines ?? side.instances.flatMap(({ slot }) => launcher.lines(slot)).slice(-20)
  const before = readState(ctx.app.state).active?.release
  let now = before === undefined ? 'nothing serves' : `${before} goes on serving`
  await undo(ctx).catch((second) => { now = `undoing it failed, too: ${second.message}` })
  if (typeof err.code !== 'string' || !err.code.startsWith('UC_DEPLOY_')) throw err
  throw new DeployError(err.code, `${err.message}; ${now}`, {
    stage: err.stage, hint: err.hint, details: err.details, lines: lines.length > 0 ? lines : undefined, cause: err
  })
}

function instancesOf (side) {
  const launcher = launcherOf(side)
  return side.instances.map(({ port, slot }) => ({ port, pid: launcher.look(slot).pid }))
}

module.exports = { ops: { start } }
