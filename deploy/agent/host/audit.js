'use strict'
// One line of JSON an action: who did what, when, and how it ended.

const fs = require('node:fs/promises')

const MAX_BYTES = 8 * 1024 * 1024

/**
 * Appends to the app's audit.log. One write of one line, so that two writers do
 * not mix; the file of MAX_BYTES becomes audit.log.1, which is replaced.
 */
async function audit (app, entry) {
  await fs.mkdir(app.deploy, { recursive: true })
  const { size } = await fs.stat(app.audit).catch(() => ({ size: 0 }))
  if (size >= MAX_BYTES) await fs.rename(app.audit, `${app.audit}.1`)
  await fs.appendFile(app.audit, `${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`, { mode: 0o640 })
}

module.exports = { audit }
