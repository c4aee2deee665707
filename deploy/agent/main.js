'use strict'
// The agent: runs on the host for as long as one session, calls the ops that
// the files of its folder export, and ends with the connection, once what it
// has begun is over. No packages, Node or Bun.

const { DeployError } = require('../errors')
const { AgentCall } = require('./call')
const { facts } = require('./host/facts')
const lock = require('./host/lock')
const { paths } = require('./host/paths')
const { Wire } = require('./wire')

const PROTOCOL = 1
const FLUSH_MS = 2000

/**
 * files: { name: source }, init: { folder, who, action, config, locked, tickMs?,
 * silenceMs? }, rest: bytes behind the first frame, load: name -> its exports.
 */
function main ({ files, init, rest, load }) {
  const ops = registered(files, load)
  const app = paths(init.folder)
  const own = facts()
  const holder = init.locked ? { who: init.who, action: init.action, since: new Date().toISOString() } : null
  const calls = new Map()
  let over = false

  const note = change => {
    if (!holder) return
    Object.assign(holder, change)
    try {
      lock.writeHolder(app, holder)
    } catch {
      // It informs only; a full disk must not stop who is about to free some.
    }
  }

  const begin = async ({ id, op, args }) => {
    if (calls.has(id)) return wire.lose(`two calls have the number ${id}`)
    const handler = Object.hasOwn(ops, op) ? ops[op] : unknown(op)
    const host = { app, config: init.config, who: init.who, facts: own, source, note: stage => note({ stage }) }
    const call = new AgentCall({ wire, id, host })
    calls.set(id, call)
    await call.run(handler, args ?? {})
    calls.delete(id)
    if (over || wire.lost) finish()
  }

  const onFrame = ({ json, payload }) => {
    const call = calls.get(json.id)
    if (json.op !== undefined) begin(json)
    else if (json.more) call?.push(payload)
    else if (json.end) call?.end()
    else if (json.ack !== undefined) call?.acknowledged(json.ack)
    else if (json.cancel) call?.cancel(json.reason)
    else if (json.bye) {
      over = true
      finish()
    }
  }

  const source = name => {
    if (!Object.hasOwn(files, name)) throw new Error(`the agent has no file ${name}`)
    return files[name]
  }

  // Ends the process when nothing runs any more.
  const finish = async () => {
    if (calls.size > 0) return
    if (holder) lock.removeHolder(app)
    await wire.flush(FLUSH_MS)
    process.exit(0)
  }

  const wire = new Wire({ input: process.stdin, output: process.stdout, onFrame, tickMs: init.tickMs, silenceMs: init.silenceMs })
  wire.onLost(reason => {
    note({ lost: reason })
    finish()
  })
  outliveTheConnection(wire)
  note({})
  wire.open()
  wire.send({ hello: { protocol: PROTOCOL, facts: own, ops: Object.keys(ops) } })
  wire.take(rest)
}

// Every file of agent/ that exports `ops`. Those with a first line for the
// kernel are programs of their own, which are only carried.
function registered (files, load) {
  const ops = {}
  for (const [name, text] of Object.entries(files)) {
    if (!name.startsWith('agent/') || name === 'agent/loader.js' || text.startsWith('#!')) continue
    for (const [op, handler] of Object.entries(load(name).ops ?? {})) {
      if (ops[op]) throw new Error(`two files of the agent have an op '${op}'`)
      ops[op] = handler
    }
  }
  return ops
}

function unknown (op) {
  return async () => {
    throw new DeployError('UC_DEPLOY_PROTOCOL', `the agent has no op '${op}'`)
  }
}

// A shell that hangs up, or somebody who ends this process, is the same as a
// deployer that is gone: undo or finish, then end.
function outliveTheConnection (wire) {
  process.on('SIGHUP', () => {})
  process.on('SIGTERM', () => wire.lose('the agent was told to end (SIGTERM)'))
  process.on('SIGINT', () => wire.lose('the agent was told to end (SIGINT)'))
  process.stderr.on('error', () => {})
}

module.exports = { main }
