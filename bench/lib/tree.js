'use strict'

// A tree of files as a service has them: the same one for everybody.

const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')

const PER_FOLDER = 20

/**
 * Writes a tree. A twentieth of the files has half of the bytes; the content
 * cannot be compressed.
 *
 * @returns {string[]} the paths of the files
 */
function makeTree (dir, files, bytes) {
  const weights = Array.from({ length: files }, (_, i) => i % 20 === 7 ? 19 : 0.2 + 1.6 * fraction(i))
  const sum = weights.reduce((a, b) => a + b, 0)
  return weights.map((weight, i) => {
    const folder = Math.floor(i / PER_FOLDER)
    const file = path.join(`part-${folder % 16}`, `module-${folder}`, `file-${i}.js`)
    fs.mkdirSync(path.join(dir, path.dirname(file)), { recursive: true })
    fs.writeFileSync(path.join(dir, file), content(`first ${i}`, Math.max(1, Math.round(bytes * weight / sum))))
    return file
  })
}

/** Gives `count` of the files another content of the same size. */
function change (dir, files, count, round) {
  for (let i = 0; i < count; i++) {
    const file = path.join(dir, files[Math.floor(i * files.length / count)])
    fs.writeFileSync(file, content(`${round} ${i}`, fs.statSync(file).size))
  }
}

// A number from 0 to 1 that looks like chance, and is the same each time.
const fraction = i => crypto.createHash('sha256').update(`weight ${i}`).digest().readUInt32LE() / 2 ** 32

function content (seed, bytes) {
  const key = crypto.createHash('sha256').update(seed).digest()
  return crypto.createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes))
}

/** sha256 over the names and contents of a tree. */
function digestOf (dir) {
  const digest = crypto.createHash('sha256')
  const look = (folder, prefix) => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true }).sort((a, b) => a.name < b.name ? -1 : 1)) {
      const full = path.join(folder, entry.name)
      if (entry.isDirectory()) look(full, `${prefix}${entry.name}/`)
      else digest.update(`${prefix}${entry.name}\0`).update(crypto.createHash('sha256').update(fs.readFileSync(full)).digest())
    }
  }
  look(dir, '')
  return digest.digest('hex')
}

module.exports = { makeTree, change, digestOf }
