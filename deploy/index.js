'use strict'

// The actions of a deployment, each in a file of its own that is loaded when it is asked for.

/** Types a configuration for editors; returns it as it is. */
function defineConfig (config) {
  return config
}

const steps = {
  upload: (...args) => require('./upload').upload(...args),
  start: (...args) => require('./start').start(...args),
  rollback: (...args) => require('./rollback').rollback(...args)
}

// Each: async (config, options, io) -> result, config of load(); io is { report, signal, who, action, ask }.
// The result is what --json has as the answer.
const actions = {
  plan: (...args) => require('./plan').plan(...args),
  status: (...args) => require('./status').status(...args),
  logs: (...args) => require('./logs').logs(...args),
  upload: (...args) => answered(steps.upload, ...args),
  start: (...args) => answered(migrating(steps.start), ...args),
  rollback: (...args) => answered(steps.rollback, ...args),
  // Both steps; the second only when the first has succeeded on every host, and with what it has brought there.
  deploy: (...args) => answered(migrating(async (config, options, io) => {
    const uploaded = await steps.upload(config, options, io)
    const releases = Object.fromEntries(uploaded.map(({ host, value }) => [host, value.id]))
    const started = await steps.start(config, { ...options, releases }, io)
    return uploaded.map(({ host, value }, i) => ({ host, value: { upload: value, start: started[i].value } }))
  }), ...args)
}

// Before anything is done: who chooses hosts may have forgotten where migrations run.
function migrating (step) {
  return (config, options, io) => {
    require('./hosts').warnOfMigrations(config, options, io.report)
    return step(config, options, io)
  }
}

async function answered (step, config, options, io) {
  const done = await step(config, options, io)
  const hosts = done.map(({ host, value }) => ({ host, ...value }))
  io.report.answer({ hosts, ok: true })
  return { hosts, failed: false }
}

/** Writes the files that a deployment needs; it has no configuration yet. */
const init = (...args) => require('./init').init(...args)

const load = (...args) => require('./config').load(...args)

module.exports = { actions, defineConfig, init, load }
