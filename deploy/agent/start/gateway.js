'use strict'

// The gateway's file: put in its place, tested with the gateway's own test, and put back when that fails.
// A gateway reads its files only when it is told to, so what serves is not touched by the test.

const fs = require('node:fs')
const path = require('node:path')
const disk = require('../host/disk')
const { DeployError } = require('../../errors')
const { howItEnded, run, shown } = require('../host/command')
const { readState, writeState } = require('../host/state')

const COMMAND_MS = 60_000

/**
 * @param {object} ctx
 * @param {string} text of the file as it shall be
 * @returns {Promise<boolean>} whether it was changed
 * @throws UC_DEPLOY_GATEWAY; the file is as it was
 */
async function apply (ctx, text) {
  const { to, test, reload } = ctx.config.gateway
  const before = contents(to)
  if (before === text) return false
  const backup = path.join(ctx.app.deploy, 'gateway.before')
  if (before !== null) disk.writeAtomic(backup, before, { mode: 0o600 })
  note(ctx, { to, backup: before === null ? null : backup })
  try {
    put(to, text)
    await must(test, 'the test of the gateway')
    await must(reload, 'the reload of the gateway')
  } catch (err) {
    restore(ctx)
    // Whatever the reload did, what it reads from now on is the file from before.
    if (err.words === 'the reload of the gateway') await run(reload, { cwd: '/', timeoutMs: COMMAND_MS })
    throw err
  }
  note(ctx, null)
  fs.rmSync(backup, { force: true })
  return true
}

/** Puts the file back that was there before a change that was not finished. */
function restore (ctx) {
  const pending = readState(ctx.app.state).gateway
  if (pending === null) return false
  disk.sweepTemporary(path.dirname(pending.to), `${path.basename(pending.to)}.`)
  if (pending.backup === null) fs.rmSync(pending.to, { force: true })
  else if (fs.existsSync(pending.backup)) put(pending.to, fs.readFileSync(pending.backup, 'utf8'))
  note(ctx, null)
  if (pending.backup !== null) fs.rmSync(pending.backup, { force: true })
  return true
}

/** After a kill of the agent nobody knows whether the gateway has read the file: it is restored and read again. */
async function recover (ctx) {
  if (!restore(ctx) || !ctx.config.gateway) return
  const { test, reload } = ctx.config.gateway
  if ((await run(test, { cwd: '/', timeoutMs: COMMAND_MS })).ok) await run(reload, { cwd: '/', timeoutMs: COMMAND_MS })
}

function note (ctx, gateway) {
  writeState(ctx.app.state, { ...readState(ctx.app.state), gateway })
}

function contents (file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch (err) {
    if (err.code === 'ENOENT') return null
    throw new DeployError('UC_DEPLOY_GATEWAY', `${file} cannot be read: ${err.code}`, { hint: hintOf(file) })
  }
}

// A folder like /etc/nginx/conf.d is often not the user's while the file in it is: then it is written over.
function put (file, text) {
  try {
    disk.writeAtomic(file, text)
  } catch (err) {
    if (err.code !== 'EACCES') throw refused(file, err)
    try {
      fs.writeFileSync(file, text)
    } catch (err) {
      throw refused(file, err)
    }
  }
}

function refused (file, err) {
  return new DeployError('UC_DEPLOY_GATEWAY', `${file} cannot be written: ${err.code}`, { hint: hintOf(file) })
}

function hintOf (file) {
  return `once, on the host: sudo install -o <user> -m 644 /dev/null ${file}`
}

async function must (command, words) {
  const result = await run(command, { cwd: '/', timeoutMs: COMMAND_MS })
  if (result.ok) return
  throw Object.assign(new DeployError('UC_DEPLOY_GATEWAY', `${words} (${shown(command)}) ${howItEnded(result, COMMAND_MS)}; its file is as it was before`, { lines: result.lines }), { words })
}

module.exports = { apply, recover }
