'use strict'

// The package inside of a bundle, which holds no addon: what it says, and the ways that work.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { execFileSync } = require('node:child_process')
const { runtimes } = require('../runtimes')
const { fileTimeoutMs, root, tmpdir } = require('../helper')

t.setTimeout(fileTimeoutMs)

const bun = runtimes().find(({ kind }) => kind === 'bun')
const node = runtimes()[0]

const app = `const { open } = require('undercroft')
const attempt = async () => {
  const store = open(':memory:')
  const row = await store.db.get('select 1 as one')
  await store.close()
  return row
}
attempt().then(row => console.log(JSON.stringify(row)), ({ code, message }) => console.log(JSON.stringify({ code, message })))
`

t.test('bundled by bun build', { skip: bun.skip ?? false }, async (t) => {
  const dir = tmpdir(t)
  const own = path.join(dir, 'node_modules/undercroft')
  for (const name of ['lib', 'index.js', 'index.mjs', 'package.json']) fs.cpSync(path.join(root, name), path.join(own, name), { recursive: true })
  fs.symlinkSync(path.join(root, 'build'), path.join(own, 'build'))
  fs.writeFileSync(path.join(dir, 'package.json'), '{ "private": true, "name": "shop" }')
  fs.writeFileSync(path.join(dir, 'app.js'), app)
  const build = (to, ...args) => execFileSync(bun.exec, ['build', 'app.js', '--target=node', '--format=cjs', `--outfile=${to}`, ...args], { cwd: dir, stdio: 'pipe' })
  const run = (file, env) => {
    const { UNDERCROFT_ADDON, ...rest } = process.env
    return JSON.parse(execFileSync(node.exec, [file], { cwd: dir, encoding: 'utf8', env: { ...rest, NODE_OPTIONS: '', ...env } }))
  }

  build('whole/app.cjs')
  build('part/app.cjs', '--external', 'undercroft')
  t.same(run('part/app.cjs'), { one: 1 }, 'with the package outside of it')
  // Bun writes into a bundle where the package was.
  fs.rmSync(own, { recursive: true })
  const refusal = run('whole/app.cjs')
  t.equal(refusal.code, 'UC_NO_ADDON')
  t.match(refusal.message, /part of a bundle.*--external:undercroft.*or set UNDERCROFT_ADDON/)
  t.notMatch(refusal.message, /undercroft build/, 'nothing about compiling one')
  t.same(run('whole/app.cjs', { UNDERCROFT_ADDON: process.env.UNDERCROFT_ADDON || path.join(root, 'build/Release/undercroft.node') }), { one: 1 }, 'with the path of the addon')
})
