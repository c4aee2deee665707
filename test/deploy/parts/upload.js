'use strict'

// A source, and a host without SSH that it is uploaded to: the agent runs as a
// child of the test.

const crypto = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { openLocalSession } = require('../../../deploy/session')
const { survey } = require('../../../deploy/files/manifest')
const { uploadTo } = require('../../../deploy/files/upload')
const { paths } = require('../../../deploy/agent/host/paths')

/**
 * @param {object} t
 * @param {object} [options] { runtime, folder: of the host, view: more of its configuration }
 */
function scene (t, { runtime, folder, view: more } = {}) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'uc-'))
  t.teardown(() => fs.rmSync(dir, { recursive: true, force: true }))
  const source = path.join(dir, 'src')
  fs.mkdirSync(source)
  const host = folder ?? path.join(dir, 'app')
  const app = paths(host)
  const view = {
    app: 'test', folder: host, keep: 5, runtime: { name: runtime?.kind ?? 'node', path: runtime?.exec ?? process.execPath }, install: null, build: null, env: { set: {} }, hooks: {}, ...more
  }
  const config = { source, dir, include: ['**'], ignore: [] }
  return {
    dir,
    source,
    app,
    view,
    put (name, text = name, mode = 0o644) {
      const file = path.join(source, name)
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, text, { mode })
    },
    tree: () => survey(config),
    async session (options) {
      const session = await openLocalSession({ name: 'one' }, view, { lock: true, action: 'upload', who: 'anna@laptop', ...options })
      t.teardown(() => session.close())
      return session
    },
    /** One upload in a session of its own, with the events in `events`. */
    async upload ({ through = session => session, more = {}, ...options } = {}) {
      const session = await openLocalSession({ name: 'one' }, { ...view, ...more }, { lock: true, action: 'upload', who: 'anna@laptop' })
      const events = []
      try {
        const result = await uploadTo(through(session), await survey(config), { ...view, ...more }, {
          ...options,
          onEvent: event => {
            events.push(event)
            return options.onEvent?.(event, session)
          }
        })
        return { ...result, events }
      } finally {
        await session.close()
      }
    },
    ids: () => fs.readdirSync(app.releases).filter(name => /^\d/.test(name)).sort(),
    there: (id, name) => path.join(app.release(id), name),
    audit: () => fs.readFileSync(app.audit, 'utf8').trim().split('\n').map(line => JSON.parse(line))
  }
}

/** { path: [type or content's hash, mode] } of everything in a folder. */
function contentOf (dir, { only = () => true } = {}) {
  const found = {}
  const look = (folder, prefix) => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const name = prefix + entry.name
      const full = path.join(folder, entry.name)
      if (!only(name)) continue
      if (entry.isDirectory()) look(full, `${name}/`)
      else if (entry.isSymbolicLink()) found[name] = `-> ${fs.readlinkSync(full)}`
      else found[name] = `${fs.statSync(full).mode & 0o100 ? 'x ' : ''}${crypto.createHash('sha256').update(fs.readFileSync(full)).digest('hex')}`
    }
  }
  look(dir, '')
  return found
}

module.exports = { scene, contentOf }
