'use strict'

// Patterns of include and ignore, and the walk that uses them.

const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const t = require('tap')
const { Patterns } = require('../../deploy/files/glob')
const { walk } = require('../../deploy/files/walk')
const { tmpdir } = require('../helper')

t.test('patterns', async t => {
  const yes = [
    ['**', 'a'], ['**', '.hidden/b'], ['*', 'a.b'], ['*', '.npmrc'], ['*', 'folder/below'],
    ['a', 'a'], ['a', 'a/b/c'], ['a/', 'a/b'], ['./a', 'a'], ['a/**', 'a/b/c'], ['a/**', 'a'],
    ['**/x', 'x'], ['**/x', 'a/b/x'], ['**/x', 'a/x/b'], ['a/**/z', 'a/z'], ['a/**/z', 'a/b/c/z'],
    ['*.js', 'index.js'], ['a?c', 'abc'], ['a?c', 'a😀c'], ['[ab]x', 'bx'], ['[!ab]x', 'cx'], ['[a-c]', 'b'],
    ['{a,b}.js', 'b.js'], ['{a,b/{c,d}}', 'b/d'], ['{src,lib}/**/*.{js,json}', 'lib/x/y.json'],
    ['a+b', 'a+b'], ['a.b', 'a.b'], ['a(b)', 'a(b)'], ['{single}', 'single'], ['open{', 'open{'], ['[', '[']
  ]
  const no = [
    ['a', 'b'], ['a', 'ab'], ['a', 'b/a'], ['*.js', 'a.jsx'], ['*.js', 'a/b.js'], ['a?c', 'ac'], ['a?c', 'a/c'],
    ['[ab]x', 'cx'], ['[!ab]x', 'ax'], ['a.b', 'axb'], ['a/*/c', 'a/c'], ['{a,b}', 'c'], ['**/x', 'ax'], ['a/**', 'ab']
  ]
  for (const [pattern, name] of yes) t.ok(new Patterns([pattern], 'include').has(name), `${pattern} has ${name}`)
  for (const [pattern, name] of no) t.notOk(new Patterns([pattern], 'include').has(name), `${pattern} has not ${name}`)
})

t.test('folders that are worth a look', async t => {
  const reaches = (pattern, folder) => new Patterns([pattern], 'include').reaches(folder)
  t.ok(reaches('dist/**', 'dist'))
  t.ok(reaches('dist/js/*.js', 'dist'))
  t.ok(reaches('dist/js/*.js', 'dist/js'))
  t.ok(reaches('**/*.js', 'any/where'))
  t.notOk(reaches('dist/**', 'data'))
  t.notOk(reaches('dist/js/*.js', 'dist/css'))
})

t.test('patterns that are refused, by their field', async t => {
  for (const pattern of ['!a', '/etc/passwd', '../x', 'a/../b', '[z-a]', '{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}']) {
    t.throws(() => new Patterns([pattern], 'ignore'), { code: 'UC_DEPLOY_CONFIG', message: /^ignore: / }, pattern)
  }
  // Time grows with the name, not with the ways to match it.
  const slow = new Patterns(['**/a/**/a/**/a/**/b'], 'ignore')
  t.notOk(slow.has('a/'.repeat(60) + 'c'))
})

function source (t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'uc-'))
  t.teardown(() => fs.rmSync(dir, { recursive: true, force: true }))
  return {
    dir,
    put (name, text = name, mode = 0o644) {
      fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true })
      fs.writeFileSync(path.join(dir, name), text, { mode })
    },
    link: (target, name) => fs.symlinkSync(target, path.join(dir, name))
  }
}

const names = ({ files }) => files.map(({ path }) => path)

t.test('what is walked', async t => {
  const { dir, put, link } = source(t)
  for (const name of ['index.js', 'lib/a.js', 'lib/a.test.js', 'docs/x.md', '.npmrc', 'ünïcødé/名 前.txt', "quote'\"$(x) `;\n.js"]) put(name)
  for (const name of ['node_modules/x/index.js', 'lib/node_modules/y.js', '.git/HEAD', '.env', 'lib/.env.production',
    '.undercroft/hashes.json', 'deploy.config.js']) put(name)
  put('bin/run', '#!/bin/sh', 0o755)
  link('../lib', 'bin/lib')
  t.same(names(await walk(dir)), ['.npmrc', 'bin/run', 'docs/x.md', 'index.js', 'lib/a.js', 'lib/a.test.js', "quote'\"$(x) `;\n.js", 'ünïcødé/名 前.txt'])
  t.same((await walk(dir)).links, [['bin/lib', '../lib']])
  t.same((await walk(dir)).files.filter(({ mode }) => mode === 1).map(({ path }) => path), ['bin/run'])
  t.same(names(await walk(dir, { include: ['lib', '*.js'], ignore: ['**/*.test.js', 'quote*'] })), ['index.js', 'lib/a.js'])
  await t.rejects(walk(dir, { include: ['nothing'] }), { code: 'UC_DEPLOY_SOURCE', message: /nothing to upload/ })
  await t.rejects(walk(path.join(dir, 'missing')), { code: 'UC_DEPLOY_SOURCE', message: /missing/ })
})

t.test('what the configuration names stays here, whatever is included', async t => {
  const { dir, put } = source(t)
  for (const name of ['index.js', 'config/production.env', 'config/[a].js', 'config/a.js', 'own/.undercroft/hashes.json', 'prod.deploy.js']) put(name)
  const never = ['config/production.env', 'config/[a].js', 'own/.undercroft', 'prod.deploy.js']
  for (const include of [['**'], ['*.js', 'config/**', 'own/.undercroft/hashes.json', 'config/production.env']]) {
    t.same(names(await walk(dir, { include, never })), ['config/a.js', 'index.js'])
  }
})

t.test('nor do copies of it travel, as editors and people make them', async t => {
  const copies = name => [`${name}.bak`, `${name}.orig`, `${name}.old`, `${name}~`, `${name}.bak~`, `.${name}.swp`, `#${name}#`, `.#${name}`]
  const dir = tmpdir(t)
  fs.mkdirSync(path.join(dir, 'config'))
  const put = name => fs.writeFileSync(path.join(dir, name), 'x')
  for (const name of [...copies('deploy.config.js'), 'deploy.config.orig.js', 'deploy.config.js.2026', 'deploy.config.ts', 'prod.deploy.js', ...copies('prod.deploy.js')]) put(name)
  for (const name of ['production.env', ...copies('production.env')]) put(`config/${name}`)
  for (const name of ['index.js', 'deploy.configure.js', 'prod.deploy.js.map', 'other.bak', 'config/production.env.example']) put(name)
  const { files } = await walk(dir, { never: ['prod.deploy.js', 'config/production.env'] })
  t.same(files.map(({ path }) => path), ['config/production.env.example', 'deploy.configure.js', 'index.js', 'other.bak', 'prod.deploy.js.map'])
})

t.test('what cannot be uploaded is named', async t => {
  for (const [target, why] of [['/etc/passwd', /absolute/], ['../../x', /outside/], ['a/../b', /'\.\.' behind/]]) {
    const { dir, put, link } = source(t)
    put('a/file')
    link(target, 'a/link')
    await t.rejects(walk(dir), { code: 'UC_DEPLOY_SOURCE', message: why, details: { path: 'a/link' } }, target)
    t.same(names(await walk(dir, { ignore: ['a/link'] })), ['a/file'])
  }
  const { dir, put } = source(t)
  put('a')
  const server = net.createServer().listen(path.join(dir, 'sock'))
  await new Promise(resolve => server.once('listening', resolve))
  await t.rejects(walk(dir), { code: 'UC_DEPLOY_SOURCE', details: { path: 'sock' } }, 'a socket')
  await new Promise(resolve => server.close(resolve))
  fs.writeFileSync(Buffer.concat([Buffer.from(dir + '/x'), Buffer.from([0xff])]), '')
  await t.rejects(walk(dir), { code: 'UC_DEPLOY_SOURCE', message: /UTF-8/ })
})
