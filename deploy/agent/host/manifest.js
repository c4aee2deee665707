'use strict'

// The manifest of a release: what is in it, by content. The deployer writes it,
// the host believes nothing of it before it has been checked.

const crypto = require('node:crypto')
const { DeployError } = require('../../errors')

const VERSION = 1
const MOST_FILES = 200_000
const MOST_BYTES = 64 * 2 ** 20 // of the text
const MOST_PATH = 3000 // bytes: with the folder before it below PATH_MAX, 4096
const MOST_NAME = 255 // bytes: NAME_MAX
const LEAVES = /(?:^|\/)\.{0,2}(?:\/|$)/ // a name that is empty, '.' or '..'
const SHA256 = /^[0-9a-f]{64}$/

/**
 * The text of a manifest; its hash is that of the text without the hash.
 *
 * @param {object} parts { files: [[path, size, 0 | 1 (executable), sha256]…] and
 *   links: [[path, target]…], each sorted by path, install, runtime }
 * @returns {{ hash: string, text: string }}
 */
function textOf ({ files, links, install, runtime }) {
  const body = JSON.stringify({ version: VERSION, files, links, install: install ?? null, runtime: runtime ?? null })
  const hash = crypto.createHash('sha256').update(body).digest('hex')
  return { hash, text: `{"hash":"${hash}",${body.slice(1)}` }
}

/**
 * A manifest from its text.
 *
 * @throws UC_DEPLOY_MANIFEST when it is damaged, or names a place outside of
 *   the release
 */
function parse (text) {
  const manifest = read(text)
  if (!manifest || manifest.version !== VERSION) throw bad(`its version is not ${VERSION}`)
  const { files, links } = manifest
  if (!Array.isArray(files) || !Array.isArray(links)) throw bad('it has no list of files')
  if (files.length + links.length > MOST_FILES) throw bad(`more than ${MOST_FILES} files`)
  if (!isWhole(text, manifest.hash)) throw bad('its hash is not that of its text')
  checkEntries(files, links)
  return manifest
}

/** A manifest that this host has checked before; what it says of contents is verified anyway. */
function read (text) {
  try {
    return JSON.parse(text)
  } catch {
    throw bad('it is not JSON')
  }
}

function isWhole (text, hash) {
  const head = `{"hash":"${hash}",`
  return text.startsWith(head) &&
    crypto.createHash('sha256').update('{').update(text.slice(head.length)).digest('hex') === hash
}

function checkEntries (files, links) {
  const names = new Set()
  const folders = new Set()
  const add = (name, before) => {
    checkPath(name)
    if (before !== undefined && !(before < name)) throw bad(`'${name}' is not in its place or there twice`)
    if (names.has(name)) throw bad(`'${name}' is a file and a link`)
    names.add(name)
    for (let i = name.lastIndexOf('/'); i > 0; i = name.lastIndexOf('/', i - 1)) {
      const folder = name.slice(0, i)
      if (folders.has(folder)) break
      folders.add(folder)
    }
  }
  let before
  for (const file of files) {
    if (!Array.isArray(file)) throw bad('an entry is no list')
    const [name, size, mode, hash] = file
    add(name, before)
    before = name
    if (!Number.isSafeInteger(size) || size < 0) throw bad(`'${name}' has no size`)
    if (mode !== 0 && mode !== 1) throw bad(`'${name}' has no mode`)
    if (typeof hash !== 'string' || !SHA256.test(hash)) throw bad(`'${name}' has no hash`)
  }
  before = undefined
  for (const link of links) {
    if (!Array.isArray(link)) throw bad('an entry is no list')
    const [name, target] = link
    add(name, before)
    before = name
    const reason = whyOutside(name, target)
    if (reason) throw bad(`the link '${name}' ${reason}`)
  }
  // Nothing may be written through a link or below a file.
  for (const folder of folders) if (names.has(folder)) throw bad(`'${folder}' is a folder and a file or link`)
}

function checkPath (name) {
  if (typeof name !== 'string' || name === '') throw bad('a path is empty')
  if (name.includes('\0')) throw bad('a path has a zero byte')
  if (LEAVES.test(name)) throw bad(`'${name}' does not stay in the release`)
  // A character has at most three bytes for each of its units of UTF-16.
  if (name.length <= MOST_NAME / 3) return
  if (Buffer.byteLength(name) > MOST_PATH) throw bad(`a path is longer than ${MOST_PATH} bytes: ${name.slice(0, 80)}…`)
  for (const part of name.split('/')) {
    if (Buffer.byteLength(part) > MOST_NAME) throw bad(`a name is longer than ${MOST_NAME} bytes: ${part.slice(0, 80)}…`)
  }
}

/**
 * Why a link is not one that stays inside the tree, or null. '..' is taken only
 * at the beginning of a target: behind a name that is a link itself it would
 * lead to wherever that one's target is.
 */
function whyOutside (name, target) {
  if (typeof target !== 'string' || target === '' || target.includes('\0') || Buffer.byteLength(target) > MOST_PATH) {
    return 'has no target'
  }
  if (target.startsWith('/')) return `points to an absolute path, ${target}`
  const parts = target.split('/')
  const depth = name.split('/').length - 1
  let up = 0
  while (parts[up] === '..') up++
  if (up > depth) return `points outside, to ${target}`
  if (parts.includes('..', up)) return `has a '..' behind a name in its target, ${target}`
  return null
}

const bad = why => new DeployError('UC_DEPLOY_MANIFEST', `the manifest is refused: ${why}`)

module.exports = { textOf, parse, read, whyOutside, MOST_FILES, MOST_BYTES }
