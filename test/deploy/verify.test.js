'use strict'

// Verification of a release that is large enough for several threads: nothing is
// left out, wherever it lies, and it ends at once when it is told to.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const t = require('tap')
const { check, sha256 } = require('../../deploy/agent/host/verify')

const FILES = 3000 // above ALONE_FILES

/** -> { dir, files } of a manifest; the size grows, so that the threads differ in what they get. */
function release (t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'undercroft-verify-'))
  t.teardown(() => fs.rmSync(dir, { recursive: true }))
  const files = []
  for (let i = 0; i < FILES; i++) {
    const name = `file-${String(i).padStart(4, '0')}`
    const content = Buffer.alloc(i * 4, name)
    fs.writeFileSync(path.join(dir, name), content, { mode: 0o444 })
    files.push([name, content.length, 0, sha256(content)])
  }
  return { dir, files }
}

t.test('each file is looked at once', async t => {
  const { dir, files } = release(t)
  t.same(await check(dir, { files, links: [] }), { files: FILES, bytes: 4 * FILES * (FILES - 1) / 2, bad: [] })

  const damaged = files.filter((_, i) => i % 100 === 1 || i === FILES - 1).map(([name]) => name)
  for (const name of damaged) {
    const file = path.join(dir, name)
    fs.chmodSync(file, 0o644)
    const content = fs.readFileSync(file)
    content[0] ^= 1
    fs.writeFileSync(file, content)
    fs.chmodSync(file, 0o444)
  }
  fs.rmSync(path.join(dir, 'file-1500'))
  const { bad } = await check(dir, { files, links: [['link', 'file-0001']] })
  t.same(bad, [
    ...damaged.map(path => ({ path, why: 'its content is another' })),
    { path: 'file-1500', why: 'it is missing' },
    { path: 'link', why: 'it is missing' }
  ].sort((a, b) => a.path < b.path ? -1 : 1), 'by name')
})

t.test('it ends when it is told to', async t => {
  const { dir, files } = release(t)
  const why = new Error('enough')
  // Often enough for a slice to be over before all of it is.
  const many = Array.from({ length: 50 }, () => files).flat()
  const stop = new AbortController()
  const checked = check(dir, { files: many, links: [] }, stop.signal)
  setImmediate(() => stop.abort(why))
  await t.rejects(checked, { message: 'enough' })
})
