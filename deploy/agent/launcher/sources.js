'use strict'

// The few files of the agent that stay on the host: a supervisor, and what starts it after a reboot.
// Each version has a folder of its own, named by its content: a supervisor that runs keeps its files.

const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const disk = require('../host/disk')

const SUPERVISOR = 'agent/launcher/supervisor.js'
const BOOT = 'agent/launcher/boot.js'

/**
 * Writes the files if they are not there yet.
 * @param {object} ctx { app, source(name) -> text }
 * @returns {string} the folder of this version, which holds SUPERVISOR
 */
function install (ctx) {
  const files = closure(ctx.source)
  const hash = crypto.createHash('sha256')
  for (const [name, text] of files) hash.update(`${name}\0${text}\0`)
  const folder = path.join(ctx.app.agent, hash.digest('hex').slice(0, 16))
  const mark = path.join(folder, 'complete')
  if (!fs.existsSync(mark)) {
    for (const [name, text] of files) {
      const file = path.join(folder, name)
      fs.mkdirSync(path.dirname(file), { recursive: true })
      disk.writeAtomic(file, text, { mode: 0o644 })
    }
    disk.writeAtomic(mark, '')
  }
  return folder
}

/** Makes <app>/.deploy/agent/boot.js, which crontabs name, lead to this version; the versions before it stay. */
function installBoot (ctx) {
  const folder = install(ctx)
  const text = `'use strict'\nrequire(${JSON.stringify(path.join(folder, BOOT))}).main(${JSON.stringify(ctx.app.folder)})\n`
  const file = path.join(ctx.app.agent, 'boot.js')
  if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) disk.writeAtomic(file, text)
}

// The programs and all that they require of ours, as [name, text], in the order of their names.
function closure (source) {
  const found = new Map()
  const visit = (name) => {
    if (found.has(name)) return
    const text = source(name)
    found.set(name, text)
    for (const [, id] of text.matchAll(/\brequire\('(\.{1,2}\/[^']+)'\)/g)) {
      visit(`${path.posix.join(path.posix.dirname(name), id)}.js`)
    }
  }
  for (const name of [SUPERVISOR, BOOT]) visit(name)
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1))
}

module.exports = { install, installBoot, SUPERVISOR }
