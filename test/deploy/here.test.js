'use strict'

// Hooks that are functions: what they are told, and that none can hold a deployment for ever.

const t = require('tap')
const { hookHere } = require('../../deploy/here')
const { DeployError } = require('../../deploy/errors')
const { failure } = require('../helper')

const report = { stage () {}, say () {} }
const run = (beforeStart, { signal, ...limits } = {}) =>
  hookHere({ app: 'shop', dir: '/x', hosts: [{ name: 'a' }, { name: 'b' }], hooks: { beforeStart } }, 'beforeStart', { host: 'a' }, { report, signal }, limits)

t.test('what a function is told', async (t) => {
  let told
  await run(async (facts) => { told = facts })
  t.match(told, { app: 'shop', dir: '/x', hosts: ['a', 'b'], host: 'a' })
  t.type(told.signal, AbortSignal)
  t.notOk(told.signal.aborted)
  await run(() => 5)
  await run(null)
  for (const hook of [() => { throw new Error('no luck') }, async () => { throw new Error('no luck') }]) {
    t.match(await failure(run(hook)), { code: 'UC_DEPLOY_HOOK', message: 'the hook beforeStart failed: no luck', stage: 'beforeStart' })
  }
})

t.test('one that hangs is given up when its time is over, and told', async (t) => {
  let signal
  const hang = (facts) => new Promise(() => { signal = facts.signal })
  const late = { code: 'UC_DEPLOY_HOOK', message: 'the hook beforeStart was not over after 0.05 s', stage: 'beforeStart', hint: /signal/ }
  t.match(await failure(run(hang, { timeoutMs: 50 })), late)
  t.ok(signal.aborted)
  // One that rejects because of the signal has failed for the same reason; one that rejects later disturbs nobody.
  const obeys = ({ signal }) => new Promise((resolve, reject) => { signal.addEventListener('abort', () => reject(new Error('aborted'))) })
  t.match(await failure(run(obeys, { timeoutMs: 50 })), late)
  const tooLate = ({ signal }) => new Promise((resolve, reject) => { signal.addEventListener('abort', () => setImmediate(reject, new Error('later'))) })
  t.match(await failure(run(tooLate, { timeoutMs: 50 })), late)
  await new Promise((resolve) => { setTimeout(resolve, 50) })
})

t.test('one that hangs ends with the deployment', async (t) => {
  const controller = new AbortController()
  const stopped = new DeployError('UC_DEPLOY_STOPPED', 'stopped by SIGINT')
  const hang = ({ signal }) => new Promise(() => {
    signal.addEventListener('abort', () => { t.equal(signal.reason, stopped) })
    setImmediate(() => controller.abort(stopped))
  })
  t.equal(await failure(run(hang, { signal: controller.signal })), stopped)
  t.equal(await failure(run(() => t.fail('it is not begun'), { signal: controller.signal })), stopped)
})
