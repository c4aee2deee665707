'use strict'

// The files of a release, as they lie here.

const fs = require('node:fs')
const path = require('node:path')
const { setImmediate: turn } = require('node:timers/promises')
const { Patterns } = require('./glob')
const { DeployError } = require('../errors')
const { whyOutside, MOST_FILES } = require('../agent/host/manifest')

// Dependencies are installed on the host; secrets and what belongs to this
// machine stay here whatever `include` says. So do the files that the
// configuration names: `never` of config.js. And the copies of both that editors and people make.
const NEVER = ['**/node_modules', '**/.git', '**/.env*', '**/.DS_Store', '.undercroft', 'deploy.config.*', '.deploy.config.*', '.#deploy.config.*', '#deploy.config.*']
const COPY = /^(?:\.#(.+)|[.#]?(.*?)(?:#|(?:~|\.(?:bak|backup|orig|old|save|rej|tmp|sw[a-p]))+))$/

const SLICE_MS = 5 // after which a connection that is being made gets a turn

/**
 * Looks at everything below the source that is included and not ignored.
 *
 * @param {string} source an absolute path
 * @param {{ include: string[], ignore: string[], never: string[] }} patterns
 *   `never`: no patterns but paths, which are left out in any case
 * @returns {Promise<{ files: { path, size, mode: 0 | 1, key }[], links: [path, target][] }>}
 *   sorted by path; `key` changes when the file does
 * @throws UC_DEPLOY_SOURCE for what cannot be uploaded, with the path
 */
async function walk (source, { include = ['**'], ignore = [], never = [] } = {}) {
  const wanted = new Patterns(include, 'include')
  const unwanted = new Patterns([...NEVER, ...ignore], 'ignore')
  const kept = new Set(never)
  const found = { files: [], links: [] }
  let end = performance.now() + SLICE_MS
  const look = async (folder, prefix) => {
    for (const entry of list(folder)) {
      if (performance.now() >= end) {
        await turn()
        end = performance.now() + SLICE_MS
      }
      const name = prefix + entry.name
      if (kept.has(name) || kept.has(originalOf(prefix, entry.name)) || unwanted.has(name)) continue
      const full = `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        if (wanted.reaches(name)) await look(full, `${name}/`)
        continue
      }
      if (!wanted.has(name)) continue
      if (entry.name.includes('\ufffd')) throw refused(name, 'has a name that is not UTF-8')
      if (found.files.length + found.links.length === MOST_FILES) {
        throw new DeployError('UC_DEPLOY_SOURCE', `${source} has more than ${MOST_FILES} files`, { hint: 'name what is to be left out in `ignore`' })
      }
      if (entry.isFile()) found.files.push(fileOf(full, name))
      else if (entry.isSymbolicLink()) found.links.push(linkOf(full, name))
      else throw refused(name, 'is neither a file nor a folder nor a link')
    }
  }
  await look(path.resolve(source), '')
  if (found.files.length === 0) {
    throw new DeployError('UC_DEPLOY_SOURCE', `there is nothing to upload in ${source}`, { hint: 'look at `source`, `include` and `ignore`' })
  }
  found.files.sort((a, b) => a.path < b.path ? -1 : 1)
  found.links.sort(([a], [b]) => a < b ? -1 : 1)
  return found
}

// Of what this is a copy: of prod.env for prod.env.bak, prod.env~, .prod.env.swp and #prod.env#.
function originalOf (prefix, name) {
  const copy = COPY.exec(name)
  return copy === null ? null : prefix + (copy[1] ?? copy[2])
}

function list (folder) {
  try {
    return fs.readdirSync(folder, { withFileTypes: true })
  } catch (err) {
    throw new DeployError('UC_DEPLOY_SOURCE', `the folder ${folder} cannot be read (${err.code})`, { cause: err, hint: 'look at `source`' })
  }
}

function fileOf (full, name) {
  const { size, mode, mtimeNs, ctimeNs, ino } = fs.lstatSync(full, { bigint: true })
  return {
    path: name,
    size: Number(size),
    mode: mode & 0o100n ? 1 : 0,
    key: `${size} ${mtimeNs} ${ctimeNs} ${ino}`,
    changedMs: Number((mtimeNs > ctimeNs ? mtimeNs : ctimeNs) / 1_000_000n)
  }
}

function linkOf (full, name) {
  const target = fs.readlinkSync(full)
  const why = whyOutside(name, target)
  if (why) throw refused(name, `is a link that ${why}`)
  return [name, target]
}

const refused = (name, why) => new DeployError('UC_DEPLOY_SOURCE', `'${name}' ${why}`, {
  hint: 'name it in `ignore`, or put a file in its place', details: { path: name }
})

module.exports = { walk, NEVER }
